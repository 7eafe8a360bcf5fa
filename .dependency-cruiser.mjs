// The floors of the house: who may import whom. Tests and tools may reach across; shipped code may not.
const shipped = (name) => ({ path: `^packages/${name}/src/`, pathNot: '\\.(test|fixture)\\.ts$' });
const rooms = 'audit|recording|security|sql|adapters-[a-z]+|testing';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'core-imports-nothing-of-ours',
      severity: 'error',
      from: shipped('core'),
      to: { path: `^packages/(${rooms})/|^examples/` },
    },
    {
      name: 'features-import-core-only',
      comment: 'What two features share lives in core.',
      severity: 'error',
      from: shipped('(audit|recording|security|sql|testing)'),
      to: { path: `^packages/(${rooms})/|^examples/`, pathNot: '^packages/$1/' },
    },
    {
      name: 'adapters-import-core-and-sql-only',
      severity: 'error',
      from: shipped('(adapters-[a-z]+)'),
      to: {
        path: '^packages/(audit|recording|security|testing|adapters-[a-z]+)/|^examples/',
        pathNot: '^packages/$1/',
      },
    },
    {
      name: 'guides-import-core-testing-and-sql-only',
      comment: 'What a third-party author has. The witness is no adapter: it runs the log.',
      severity: 'error',
      from: { path: '^docs/guides/', pathNot: '\\.test\\.ts$|^docs/guides/witness/' },
      to: { path: '^packages/|^examples/|^test/', pathNot: '^packages/(core|testing|sql)/' },
    },
    {
      name: 'edge-reaches-no-temporal',
      comment: 'An Edge Function that guards a route or hands out a playback link must not carry a calendar.',
      severity: 'error',
      from: { path: '^packages/(security|audit)/src/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { path: 'temporal-polyfill|core/src/calendar', reachable: true },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^packages/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'shipped-code-imports-no-tests',
      severity: 'error',
      from: { path: '^packages/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { path: '\\.(test|fixture)\\.ts$|^test/' },
    },
    {
      name: 'declared-dependencies-only',
      severity: 'error',
      from: { path: '^packages/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] },
    },
    {
      name: 'no-dev-dependencies-in-shipped-code',
      severity: 'error',
      from: { path: '^packages/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-peer', 'type-only'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|[.]generated)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'default', 'types'] },
  },
};
