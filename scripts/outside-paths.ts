import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import ts from 'typescript';
import { command, root } from './stage.ts';

/** Text that looks like a path out of the repository and is none, or that a tool needs which `npm test` does not run. */
interface Allowed {
  readonly file: string;
  readonly text: string;
  readonly why: string;
}

const hostile = 'a hostile key or id; nothing opens it';
const debian = 'a package of Debian, for a stage of CI only';
const allowed: readonly Allowed[] = [
  { file: 'packages/adapters-local/src/disk.test.ts', text: '../up', why: hostile },
  { file: 'packages/adapters-local/src/disk.test.ts', text: '../u0123456789abcdef', why: hostile },
  { file: 'packages/adapters-local/src/disk.test.ts', text: '/etc/passwd', why: hostile },
  { file: 'packages/adapters-local/src/disk.test.ts', text: '/tmp/x', why: 'the folder of a store that is refused' },
  {
    file: 'packages/adapters-prisma/src/prisma-types.test.ts',
    text: '../../../../tsconfig.json',
    why: 'stands in a configuration that is written three folders deeper',
  },
  { file: 'packages/audit/src/node/directory-tiles.test.ts', text: '../outside', why: hostile },
  { file: 'packages/recording/src/links.test.ts', text: '../x', why: hostile },
  { file: 'packages/recording/src/providers/twilio.test.ts', text: '../Compositions', why: hostile },
  { file: 'packages/recording/src/providers/twilio.test.ts', text: '../Rooms', why: hostile },
  { file: 'packages/recording/src/providers/twilio.test.ts', text: 'file:///etc/passwd', why: hostile },
  { file: 'packages/recording/src/start.test.ts', text: '../other/', why: hostile },
  { file: 'packages/security/src/guard.test.ts', text: '../x', why: hostile },
  { file: 'packages/security/src/identity/identity.test.ts', text: '../x', why: hostile },
  { file: 'packages/security/src/identity/oidc.test.ts', text: '../../../../dev/null', why: hostile },
  { file: 'packages/security/src/identity/oidc.test.ts', text: '/etc/passwd', why: hostile },
  { file: 'packages/testing/src/object-cases/object-case.ts', text: '../outside', why: hostile },
  { file: 'test/start-postgres.ts', text: '../native', why: 'lies in a package that is installed' },
  { file: 'test/people-api-hostile.test.ts', text: '../../x', why: hostile },
  { file: 'scripts/doc-examples.ts', text: '../../tsconfig.json', why: 'stands in a configuration two folders deeper' },
  { file: 'scripts/package-shape.ts', text: '../../tsup.config.ts', why: 'is read from the folder of a package' },
  { file: 'scripts/dump-restore.ts', text: '/usr/lib/postgresql/15', why: debian },
  { file: 'scripts/interop-go.ts', text: '/usr/share/gocode', why: debian },
  { file: 'scripts/pg-cron-check.ts', text: '/usr/lib/postgresql/15', why: debian },
];

const folders = ['packages', 'examples', 'docs', 'scripts', 'test', 'bench'];
/** The corpora of others lie outside; this stage reads them. The check itself names what it looks for. */
const exempt = /^test\/corpora\/|^scripts\/outside-paths(\.test)?\.ts$/;
const code = /\.[cm]?[jt]sx?$/;
const text = /\.(md|json|ya?ml|toml|sh|go|sql|prisma|svg)$/;
const absolute = /^(?:file:\/\/)?(?:\/(?:root|home|work|tmp|usr|var|etc|opt|mnt|Users)(?:\/|$)|~\/)/;
/** Folders that the project's tools make, and install. */
const made = /(^|\/)(\.generated|\.data|\.tmp|node_modules|dist)(\/|$)/;
const homes = new Set(['homedir', 'userInfo', 'HOME', 'USERPROFILE']);

/**
 * Names what a file refers to outside of the repository: relative paths that climb out of it, or that lead to nothing in it, absolute
 * paths, and the home of a user. Comments and prose may name any path.
 *
 * @param file - relative to the root
 * @param source - its text
 * @param tracked - every file and folder of the repository, relative to the root
 */
export function outsidePaths(file: string, source: string, tracked: ReadonlySet<string>): readonly string[] {
  const strings = code.test(file) ? literals(file, source) : links(file, source);
  const climbsOut = (path: string): boolean => normalize(join(dirname(file), path)).startsWith('..');
  const leadsNowhere = (path: string): boolean => {
    const target = normalize(join(dirname(file), path)).replace(/\/$/, '');
    return target !== '.' && !tracked.has(target) && !made.test(target);
  };
  return strings.filter((one) => {
    if (one.startsWith('home: ') || absolute.test(one)) return true;
    return climbsOut(one) || (/^(\.\/)?\.\.\//.test(one) && leadsNowhere(one));
  });
}

/** The literals of a program, `'..', '..', 'x'` in one call joined as a path, and identifiers that mean a home. */
function literals(file: string, source: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      found.push(...pathsIn(node.text));
    if (ts.isStringLiteralLike(node) && homes.has(node.text)) found.push(`home: ${node.text}`);
    if (ts.isIdentifier(node) && homes.has(node.text)) found.push(`home: ${node.text}`);
    if (ts.isCallExpression(node)) found.push(...joined(node.arguments));
    node.forEachChild(visit);
  };
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true));
  return found;
}

/** The relative paths with `..` that stand in a text, and the whole when it is absolute. */
function pathsIn(value: string): string[] {
  const relative = [...value.replace(/^\/(?=\.\.\/)/, '').matchAll(/(?<![\w@./-])[\w@.-][\w@./-]*/g)].filter(([path]) =>
    path.split('/').includes('..'),
  );
  return [...relative.map(([path]) => path), ...(absolute.test(value) ? [value] : [])];
}

function joined(args: readonly ts.Expression[]): string[] {
  const words = args.map((arg) => (ts.isStringLiteralLike(arg) ? arg.text : undefined));
  const from = words.indexOf('..');
  if (from < 0) return [];
  const rest = words.slice(from);
  const end = rest.indexOf(undefined);
  return [(end < 0 ? rest : rest.slice(0, end)).join('/')];
}

/** Of prose only what a link leads to; of data and scripts everything. */
function links(file: string, source: string): string[] {
  if (file.endsWith('.md')) return [...source.matchAll(/\]\(([^)#\s]+)/g)].flatMap(([, to = '']) => pathsIn(to));
  return pathsIn(source);
}

/**
 * Refuses a repository that needs anything beside it.
 *
 * @throws Error that lists file and path, and allowances that nothing uses any more
 */
export async function checkOutsidePaths(): Promise<void> {
  const listed = await command('git', ['ls-files', '--cached', '--others', '--exclude-standard']);
  const files = listed.split('\n').filter((file) => file !== '');
  const tracked = new Set<string>(files);
  for (const file of files)
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) tracked.add(folder);
  const unused = new Set(allowed);
  const faults: string[] = [];
  for (const file of files) {
    if (!folders.includes(file.split('/')[0] ?? '') || exempt.test(file)) continue;
    if (!(code.test(file) || text.test(file)) || !existsSync(join(root, file))) continue;
    for (const path of outsidePaths(file, readFileSync(join(root, file), 'utf8'), tracked)) {
      const allowance = allowed.find((one) => one.file === file && one.text === path);
      if (allowance === undefined) faults.push(`${file} refers to ${path}`);
      else unused.delete(allowance);
    }
  }
  for (const { file, text: path } of unused)
    faults.push(`scripts/outside-paths.ts allows ${path} in ${file}; remove it`);
  if (faults.length > 0)
    throw new Error(
      `${faults.join('\n')}\nKeep what is read inside the repository, or allow text that nothing opens in scripts/outside-paths.ts`,
    );
}
