#!/usr/bin/env node
import { readFile, stat } from 'node:fs/promises';
import { httpTiles } from '@medzen/audit';
import { directoryTiles } from '@medzen/audit/node';
import { bucketTiles, runVerify } from '@medzen/audit/verify-cli';

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
process.exitCode = await runVerify(process.argv.slice(2), {
  readFile: async (path) => new Uint8Array(await readFile(path)),
  isFolder: async (path) => (await stat(path)).isDirectory(),
  folder: directoryTiles,
  web: httpTiles,
  bucket: bucketTiles,
  print: (text) => process.stdout.write(`${text}\n`),
  complain: (text) => process.stderr.write(`${text}\n`),
  version,
});
