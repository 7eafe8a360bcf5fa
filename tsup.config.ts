import { readFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

// Run in a package's folder (`pnpm --filter @medzen/core build`): one entry per line of its `exports`.
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, string> }; // our own file

export default defineConfig({
  entry: Object.values(manifest.exports),
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  external: [/^node:/, /^@medzen\//],
  dts: true,
  clean: true,
  sourcemap: true,
  splitting: true,
  treeshake: true,
  silent: true,
});
