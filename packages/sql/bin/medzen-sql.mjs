#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { connectWithPg, runCli } from '@medzen/sql/cli';

// Whoever reads has read enough: medzen-sql print | head.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

process.exitCode = await runCli(process.argv.slice(2), {
  cwd: process.cwd(),
  env: process.env,
  packageDir: fileURLToPath(new URL('..', import.meta.url)),
  now: () => new Date(),
  print: (text) => process.stdout.write(`${text}\n`),
  complain: (text) => process.stderr.write(`${text}\n`),
  connect: (url) => connectWithPg(url, process.cwd()),
});
