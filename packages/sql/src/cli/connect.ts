import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MedzenError } from '@medzen/core';
import type { CliClient } from './io.ts';

/** What is asked of `pg`. */
interface Pg {
  readonly Client: new (config: {
    connectionString: string;
    connectionTimeoutMillis: number;
  }) => CliClient & { connect(): Promise<unknown>; on(event: 'error', listener: () => void): unknown };
}

/**
 * Connects with `pg`, which is looked for beside this package and in the project: it is an optional peer, because only two commands need it.
 *
 * @param cwd - of the project
 * @throws MedzenError `invalid_configuration` when it is in neither place
 */
export async function connectWithPg(url: string, cwd: string): Promise<CliClient> {
  const pg = (await loadPg('pg')) ?? (await loadPg(resolved(cwd)));
  if (pg === undefined)
    throw new MedzenError(
      'invalid_configuration',
      'This command connects with the driver pg, which is not installed: npm install pg',
    );
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 15_000 });
  client.on('error', () => undefined); // a query that is cut off says so itself
  await client.connect();
  return client;
}

async function loadPg(specifier: string | undefined): Promise<Pg | undefined> {
  if (specifier === undefined) return undefined;
  try {
    const module = (await import(specifier)) as { default: Pg }; // a module of CommonJS: its exports are the default
    return module.default;
  } catch {
    return undefined;
  }
}

function resolved(cwd: string): string | undefined {
  try {
    return pathToFileURL(createRequire(join(cwd, 'package.json')).resolve('pg')).href;
  } catch {
    return undefined;
  }
}
