import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

// The migrations are text for installers, and would be most of it. supabase-js is the host's. Measured: 6.7 and 27.4 kB. Of the 23.8 kB that asUser has
// before compression, 12.4 are the manifest: the names, arguments and results of every SQL function, which grow with the schema and which PostgREST needs
// to find a function. Of all together, which are 83.9 kB, 14.6 are the manifest; the rest is the stores themselves, the largest (log) 3.6.
test.each([
  ['asUser', 7],
  ['asUser, asService, supabaseStores, supabaseObjects, supabaseWire', 28],
])('an edge bundle of %s stays under %i kB gzipped and imports nothing of Node', async (names, limit) => {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: `export { ${names} } from './index.ts'`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
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
  const text = outputFiles[0]?.text ?? '';
  const kilobytes = gzipSync(text, { level: 9 }).length / 1024;
  expect(kilobytes, `${kilobytes.toFixed(1)} kB`).toBeLessThan(limit);
  expect(text).not.toMatch(/\bfrom\s*["']node:|\bimport\s*\(?["']node:|\brequire\(["']/);
  expect(Object.keys(metafile.inputs).filter((path) => /supabase-js|temporal/.test(path))).toEqual([]);
  expect(text).not.toContain('CREATE TABLE');
});
