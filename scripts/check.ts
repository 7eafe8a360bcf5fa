import { buildApiReference } from './api-reference.ts';
import { checkExamples } from './doc-examples.ts';
import { checkEnglish } from './english/check-english.ts';
import { checkOutsidePaths } from './outside-paths.ts';
import { importFromTarballs, lintTarball, packAll, runSqlFromTarball, runVerifyFromTarball } from './package-shape.ts';
import { packages } from './packages.ts';
import { checkRatchet } from './ratchet/ratchet.ts';
import { command, runStages, type Stage } from './stage.ts';

const run =
  (name: string, ...args: readonly string[]) =>
  async (): Promise<void> => {
    await command(name, args);
  };

const stages: readonly Stage[] = [
  { name: 'format and lint', run: run('biome', 'check', '--error-on-warnings', '.') },
  { name: 'types', run: run('tsc', '-p', 'tsconfig.json') },
  { name: 'nothing beside the repository is needed', run: checkOutsidePaths },
  {
    name: 'floors',
    run: run('depcruise', '--config', '.dependency-cruiser.mjs', 'packages', 'examples', 'docs/guides'),
  },
  { name: 'dead code and undeclared dependencies', run: run('knip') },
  { name: 'generated SQL modules are up to date', run: run('node', 'scripts/generate-sql.ts', '--check') },
  { name: 'schema dump is up to date', run: run('node', 'scripts/schema-dump.ts', '--check') },
  { name: 'Prisma models are up to date', run: run('node', 'scripts/prisma-models.ts', '--check') },
  { name: 'law tables are up to date', run: run('node', 'scripts/law-tables.ts', '--check') },
  { name: 'plain US English', run: async () => checkEnglish() },
  { name: 'options that no test sets, and crowded folders, only shrink', run: async () => checkRatchet() },
  {
    name: 'examples in docs type-check',
    run: async () => {
      await checkExamples();
    },
  },
  { name: 'API reference without warnings', run: buildApiReference },
  { name: 'build and pack', run: packAll },
  ...packages().map(({ name }) => ({ name: `package shape of ${name}`, run: () => lintTarball(name) })),
  { name: 'every entry imports from the packed tarballs', run: importFromTarballs },
  { name: 'medzen-sql runs from the packed tarball', run: runSqlFromTarball },
  { name: 'medzen-verify runs from the packed tarball', run: runVerifyFromTarball },
];

console.log('check');
const { passed, failed } = await runStages(stages);
console.log(`check: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
