/**
 * Writes packages/sql/schema.sql: what the migrations amount to, read from the catalog of a real server, so that a review sees the
 * result of a change and not only its steps. `--check` writes nothing and fails when the file is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { installSql } from '../packages/sql/src/index.ts';
import { startPostgres } from '../test/start-postgres.ts';
import { createSupabaseRoles } from '../test/supabase-roles.ts';
import { schemaText } from './schema-text.ts';

async function dump(): Promise<string> {
  const server = await startPostgres();
  const client = new pg.Client(server.url);
  try {
    await client.connect();
    await createSupabaseRoles(server.url); // so that the grants to them are seen
    await installSql(client);
    return `-- Written by scripts/schema-dump.ts from the catalog of a Postgres 18; do not edit.\n\n${await schemaText(client)}`;
  } finally {
    await client.end();
    await server.stop();
  }
}

const path: string = join(import.meta.dirname, '..', 'packages', 'sql', 'schema.sql');
const text: string = await dump();
if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error(`Stale; run node scripts/schema-dump.ts:\n${path}`);
  process.exitCode = 1;
}
