#!/usr/bin/env node
import { readFile, stat } from 'node:fs/promises';
import { httpTiles } from '@medzen/audit';
import { directoryTiles } from '@medzen/audit/node';
import { bucketTiles, runVerify } from '@medzen/audit/verify-cli';

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')));
process.exitCode = await runVerify(process.argv.slice(2), {
  readFile: async (path) => new Uint8Array(await readFile(path)),
  isFolder: async (path) => (await stat(path)).isDirectory(),
  folder: directoryTiles,
  web: httpTiles,
  bucket: bucketTiles,
  print: (text) => process.stdout.write(`${text}\n`),
  complain: (text) => process.stderr.write(`${text}\n`),
  version,
  signal: interrupted.signal,
});
if (interrupted.signal.aborted) process.exit(); // a request that hangs is not waited for
