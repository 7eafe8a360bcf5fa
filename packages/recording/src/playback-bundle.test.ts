import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

async function bundle(entry: string): Promise<{ readonly text: string; readonly inputs: readonly string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
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
  return { text: outputFiles[0]?.text ?? '', inputs: Object.keys(metafile.inputs) };
}

const lawAndCalendar = /rules\.generated|temporal|src\/retention\//;

test('an edge function that signs links carries neither law tables nor a calendar', async () => {
  const { text, inputs } = await bundle('./playback.ts');
  expect(inputs.filter((path) => lawAndCalendar.test(path))).toEqual([]);
  expect(text).not.toContain('us-ga-psychologist');
  const kilobytes = gzipSync(text, { level: 9 }).length / 1024;
  expect(kilobytes, `${kilobytes.toFixed(1)} kB`).toBeLessThan(12);
});

test('the whole package does carry them, so the check above can fail', async () => {
  const { text, inputs } = await bundle('./index.ts');
  expect(inputs.filter((path) => lawAndCalendar.test(path)).length).toBeGreaterThan(2);
  expect(text).toContain('us-ga-psychologist');
});
