#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runRebase } from '@medzen/audit/rebase-cli';

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
process.exitCode = await runRebase(process.argv.slice(2), {
  load: (path) => import(pathToFileURL(resolve(path)).href),
  readFile: (path) => readFile(path, 'utf8'),
  print: (text) => process.stdout.write(`${text}\n`),
  complain: (text) => process.stderr.write(`${text}\n`),
  version,
});
