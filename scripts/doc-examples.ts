import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, root } from './stage.ts';

const fence = /^([ \t]*(?:\*[ \t]?)?)```(?:ts|typescript)\r?\n([\s\S]*?)^\1```/gm;

/** Every TypeScript example of the doc comments, the README and the guides, with where it stands. */
function examples(): readonly { readonly file: string; readonly line: number; readonly code: string }[] {
  const files = [
    ...globSync('packages/*/src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts')),
    ...globSync('{README,CONTRIBUTING}.md', { cwd: root }),
    ...globSync('{docs,docs/guides,packages/*}/*.md', { cwd: root }),
  ];
  return files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return [...text.matchAll(fence)].map((match) => ({
      file,
      line: text.slice(0, match.index).split('\n').length,
      code: (match[2] ?? '').replace(/^[ \t]*\*[ \t]?/gm, (prefix) => (match[1]?.includes('*') ? '' : prefix)),
    }));
  });
}

/**
 * Type-checks every example as a module of its own, under the rules of the house. An example that does not compile teaches
 * something false.
 */
export async function checkExamples(): Promise<number> {
  const found = examples();
  if (found.length === 0) throw new Error('No examples were found: the pattern is broken');
  const dir = join(root, '.tmp/doc-examples');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  for (const [index, { file, line, code }] of found.entries()) {
    const name = `${file.replaceAll(/[^a-z0-9]+/gi, '-')}-${line}-${index}.ts`;
    writeFileSync(join(dir, name), `// ${file}:${line}\n${code}\nexport {};\n`);
  }
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: { isolatedDeclarations: false, declaration: false, noUnusedLocals: false },
    include: ['*.ts'],
  };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(config));
  await command('tsc', ['-p', join(dir, 'tsconfig.json')]);
  rmSync(dir, { recursive: true, force: true });
  return found.length;
}
