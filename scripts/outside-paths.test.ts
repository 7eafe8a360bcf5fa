import { describe, expect, test } from 'vitest';
import { outsidePaths } from './outside-paths.ts';

const tracked = new Set([
  'packages/core',
  'packages/core/src',
  'packages/core/src/a.ts',
  'packages/core/package.json',
  'LICENSE',
]);
const found = (source: string, file = 'packages/core/src/a.ts'): readonly string[] =>
  outsidePaths(file, source, tracked);

describe('a path out of the repository is named', () => {
  test.each([
    [`new URL('../../../../beside/rows.json', import.meta.url)`, '../../../../beside/rows.json'],
    [`readFileSync('../beside/rows.json')`, '../beside/rows.json'],
    [`readFileSync(\`../beside/\${name}\`)`, '../beside/'],
    [`readFileSync(\`\${process.cwd()}/../beside/rows.json\`)`, '../beside/rows.json'],
    [`readFileSync('data/../../../../../beside/rows.json')`, 'data/../../../../../beside/rows.json'],
    [`join(import.meta.dirname, '..', '..', '..', '..', 'beside')`, '../../../../beside'],
    [`resolve('..', 'beside', name)`, '../beside'],
    [`import rows from '../../../../beside/rows.json' with { type: 'json' }`, '../../../../beside/rows.json'],
    [`readFileSync('/usr/share/dict/words')`, '/usr/share/dict/words'],
    [`readFileSync('/root/rows.json')`, '/root/rows.json'],
    [`fetch('file:///home/clinic/rows.json')`, 'file:///home/clinic/rows.json'],
    ['join(homedir(), name)', 'home: homedir'],
    ['join(process.env.HOME, name)', 'home: HOME'],
    [`join(process.env['HOME'], name)`, 'home: HOME'],
  ])('%s', (source, path) => {
    expect(found(source)).toContain(path);
  });

  test.each([
    ['docs/guide.md', 'See [the rows](../../beside/rows.md).', '../../beside/rows.md'],
    ['packages/core/package.json', '{ "extends": "../../../beside/tsconfig.json" }', '../../../beside/tsconfig.json'],
    ['test/interop/run.sh', 'cat ../beside/rows.json', '../beside/rows.json'],
  ])('also in %s', (file, source, path) => {
    expect(found(source, file)).toEqual([path]);
  });
});

test.each([
  `import { a } from './a.ts'`,
  `new URL('../package.json', import.meta.url)`,
  `new URL('../../../LICENSE', import.meta.url)`,
  `join(import.meta.dirname, '..', 'package.json')`,
  `mkdir('../.generated/client')`,
  `mkdtempSync(join(tmpdir(), 'rows-'))`,
  `'a/../b'`,
  `'https://clinic.example/a/../b'`,
  `'and so on... / or not'`,
  '// see ../../../../../beside, or /usr/share',
])('what stays inside is not named: %s', (source) => {
  expect(found(source)).toEqual([]);
});
