import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

/** What a host's edge function would ship of us. */
async function bundle(code: string): Promise<{ readonly text: string; readonly inputs: readonly string[] }> {
  const result = await build({
    stdin: { contents: code, resolveDir: here, loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2024',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  // What was read but left out again does not count.
  const shipped = Object.values(result.metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
  return {
    text: result.outputFiles[0]?.text ?? '',
    inputs: shipped.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path),
  };
}

const kilobytes = (text: string): number => Math.round(gzipSync(text, { level: 9 }).length / 102.4) / 10;

const entries = {
  'secure, json and limit': `export { createGuard, secure, publicRoute, json, limit } from './index.ts'`,
  'the same with oidc and exact origins': `export { createGuard, secure, json, limit, oidc, exactOrigins } from './index.ts'`,
  'the same with origins': `export { createGuard, secure, json, limit, oidc, origins } from './index.ts'`,
  everything: `export * from './index.ts'`,
};

describe('an edge bundle', () => {
  // Bounds a little above what was measured, so that a dependency that creeps in is seen. The list of public suffixes,
  // which `origins` asks, weighs two thirds of the whole.
  test.each([
    ['secure, json and limit', 17],
    ['the same with oidc and exact origins', 25],
    ['the same with origins', 72],
    ['everything', 74],
  ] as const)('of %s stays under %i kB gzipped and imports nothing of Node or Temporal', async (name, limit) => {
    const { text, inputs } = await bundle(entries[name]);
    expect(kilobytes(text), `${name}: ${kilobytes(text)} kB`).toBeLessThan(limit);
    expect(text).not.toMatch(/\bfrom\s*["']node:|\bimport\s*\(?["']node:|\brequire\(["']/);
    expect(inputs.filter((path) => /temporal|core\/src\/calendar|express|\/zod\//.test(path))).toEqual([]);
    expect(inputs.some((path) => path.includes('guard.ts'))).toBe(true);
  });

  test('without origins() carries no list of public suffixes, without oidc() no jose', async () => {
    const { inputs } = await bundle(entries['secure, json and limit']);
    expect(inputs.filter((path) => /tldts|jose/.test(path))).toEqual([]);
    const exact = await bundle(entries['the same with oidc and exact origins']);
    expect(exact.inputs.filter((path) => /tldts/.test(path))).toEqual([]);
  });

  test('would be caught if it did', async () => {
    const { text } = await bundle(`export { readFileSync } from 'node:fs'`).catch(() => ({ text: 'from "node:fs"' }));
    expect(text).toMatch(/from\s*["']node:/);
  });
});
