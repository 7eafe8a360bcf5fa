import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { isMedzenError, MedzenError } from '@medzen/core';
import { examineSql } from '../doctor/examine-sql.ts';
import type { Finding } from '../doctor/finding.ts';
import type { Migration } from '../migration.ts';
import { migrations, testMigrations } from '../migrations.generated.ts';
import { checkedSchema } from '../schema-name.ts';
import { sqlstateOf } from '../sqlstate.ts';
import { add, faultLine } from './add.ts';
import { checkLedger, checkTree } from './check.ts';
import type { CliClient, CliIo } from './io.ts';
import { print } from './print.ts';
import { showReport } from './show-report.ts';
import { commands, overview, usageOf } from './usage.ts';

/** What the options of a command were given; an option that a command does not have is never set. */
interface Given {
  readonly target?: string;
  readonly dir?: string;
  readonly schema?: string;
  readonly owner?: string;
  readonly from?: string;
  readonly only?: string;
  readonly object?: string;
  readonly test?: boolean;
  readonly json?: boolean;
  readonly rollback?: boolean;
  readonly administrator?: boolean;
  readonly help?: boolean;
}

/**
 * The command line of `medzen-sql`.
 *
 * @param args - without the program and the script
 * @returns the exit code: 0 well, 1 findings, 2 could not do it
 * @example
 * ```ts
 * import { type CliIo, runCli } from '@medzen/sql/cli';
 * declare const io: CliIo;
 * const code = await runCli(['add', '--target', 'supabase'], io);
 * ```
 */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.print(overview());
    return name === undefined ? 2 : 0;
  }
  try {
    if (!isCommand(name)) throw new MedzenError('invalid_configuration', `Unknown command ${name}\n\n${overview()}`);
    const given = parse(name, rest);
    if (given.help === true) {
      io.print(usageOf(name));
      return 0;
    }
    return await run(name, given, io);
  } catch (error) {
    const said = messageOf(error, io.cwd);
    io.complain(`medzen-sql: ${said}`);
    if (rest.includes('--json')) io.print(JSON.stringify({ error: said })); // who reads that reads no standard error
    return 2;
  }
}

function isCommand(name: string): name is keyof typeof commands {
  return Object.hasOwn(commands, name);
}

function parse(name: keyof typeof commands, args: readonly string[]): Given {
  try {
    const { values } = parseArgs({ args: [...args], options: commands[name].options, allowPositionals: false });
    return values;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message.split('. ')[0] : 'These options cannot be read';
    throw new MedzenError('invalid_configuration', `${said}\n\n${usageOf(name)}`, { cause });
  }
}

async function run(name: keyof typeof commands, given: Given, io: CliIo): Promise<number> {
  const { schema = 'medzen', owner, dir, target } = given;
  const known: readonly Migration[] = given.test === true ? [...migrations, ...testMigrations] : migrations;
  switch (name) {
    case 'add': {
      if (target === undefined)
        throw new MedzenError('invalid_configuration', `--target is needed\n\n${usageOf('add')}`);
      const written = add({ target, dir, schema, owner }, known, io);
      io.print(written.length === 0 ? 'Nothing to add: the tree has every migration.' : written.join('\n'));
      return 0;
    }
    case 'print': {
      const { from, only, object, rollback = false, administrator = false } = given;
      io.print(print({ schema, owner, target, from, only, object, rollback, administrator }, known, io).trimEnd());
      return 0;
    }
    case 'check': {
      const faults =
        dir !== undefined || target !== undefined
          ? checkTree({ dir, target, schema }, known, io)
          : await withDatabase(io, (client) => checkLedger(client, checkedSchema(schema), known));
      if (given.json === true) io.print(JSON.stringify({ findings: faults }, undefined, 2));
      else io.print(faults.length === 0 ? 'Every migration is there, unaltered.' : faults.map(faultLine).join('\n'));
      return faults.length === 0 ? 0 : 1;
    }
    case 'doctor': {
      const report = await withDatabase(io, (client) => examineSql(client, { schema }));
      io.print(given.json === true ? JSON.stringify(report, undefined, 2) : showReport(report));
      if (report.findings.some(({ severity }: Finding) => severity !== 'info')) return 1;
      return report.unexamined.length > 0 ? 2 : 0;
    }
  }
}

async function withDatabase<T>(io: CliIo, work: (client: CliClient) => Promise<T>): Promise<T> {
  const url = io.env.DATABASE_URL;
  if (url === undefined || url === '')
    throw new MedzenError(
      'invalid_configuration',
      'DATABASE_URL is not set; it is the only way to name a database here',
    );
  const client = await io.connect(url).catch((error: unknown) => Promise.reject(unreachable(error)));
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Why there is no connection; the driver's own words may hold the address. */
function unreachable(error: unknown): MedzenError {
  if (isMedzenError(error)) return error;
  const state = sqlstateOf(error);
  const why = state === undefined ? codeOf(error) : `SQLSTATE ${state}`;
  const message = `The database that DATABASE_URL names cannot be ${state === undefined ? 'reached' : 'entered'}`;
  return new MedzenError('store_unavailable', why === undefined ? message : `${message} (${why})`, { cause: error });
}

/** Never the address or a value: what was refused, and the code for it; of a file also which. */
function messageOf(error: unknown, cwd: string): string {
  if (isMedzenError(error)) return error.message;
  const state = sqlstateOf(error);
  if (state !== undefined) return `The database refused (SQLSTATE ${state})`;
  const code = codeOf(error);
  if (code === undefined) return 'Something unexpected failed';
  const { path } = error as { path?: unknown }; // codeOf saw an object
  return `It could not be done (${typeof path === 'string' ? `${code}: ${relative(cwd, path)}` : code})`;
}

function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
}
