import { randomUUID } from 'node:crypto';
import { checkSql, pgWire } from '@medzen/sql';
import { examineSql } from '@medzen/sql/doctor';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type HostProject, hostProject } from '../packages/sql/src/cli/host-project.fixture.ts';
import { byBytes } from '../packages/sql/src/cli/host-tree.ts';
import { splitStatements } from '../packages/sql/src/cli/statements.ts';
import { schemaText } from '../scripts/schema-text.ts';
import { type FreshDatabase, freshDatabase } from './postgres.ts';

/**
 * The files that `medzen-sql add` writes, applied in the way of each tool. The tools themselves do not run here: these are stand-ins that
 * send what the tools send, file by file in the byte order of their names.
 */
const runners: Readonly<Record<'supabase' | 'prisma' | 'psql', (client: pg.Client, text: string) => Promise<void>>> = {
  // supabase db push: statement by statement by the extended protocol, a transaction a file.
  async supabase(client, text) {
    await client.query('BEGIN');
    for (const statement of splitStatements(text)) await client.query(extended(statement));
    await client.query('COMMIT');
  },
  // prisma migrate deploy: the file as one script by the simple protocol, which makes it one transaction.
  async prisma(client, text) {
    await client.query(text);
  },
  // psql -v ON_ERROR_STOP=1 -f, without -1: statement by statement, each committed by itself.
  async psql(client, text) {
    for (const statement of splitStatements(text)) await client.query(statement);
  },
};

function extended(text: string): pg.QueryConfig {
  return { text, queryMode: 'extended' } as pg.QueryConfig; // known to pg since 8.12, not yet to its types
}

let fresh: { readonly schema: string; readonly ledger: unknown };
beforeAll(async () => {
  const db = await freshDatabase();
  fresh = { schema: await schemaText(db.pool), ledger: await ledgerOf(db.pool, 'medzen') };
  await db.drop();
});

const open: FreshDatabase[] = [];
afterAll(() => Promise.all(open.map((db) => db.drop())));
let host: HostProject;
beforeEach(() => {
  host = hostProject();
});
afterEach(() => host.remove());

async function database(): Promise<FreshDatabase> {
  const db = await freshDatabase({ install: false });
  open.push(db);
  return db;
}

async function ledgerOf(client: pg.Pool, schema: string): Promise<unknown> {
  return (await client.query(`SELECT id, checksum, breaking FROM ${schema}.migration ORDER BY id COLLATE "C"`)).rows;
}

/** Applies every file as a tool does; a tool keeps its own record after each, with the rights of the role it runs as. */
async function apply(client: pg.Client, tool: keyof typeof runners): Promise<void> {
  const files = host.files().filter((path) => path.endsWith('.sql'));
  for (const path of files.toSorted(byBytes)) {
    await runners[tool](client, host.read(path));
    await client.query('INSERT INTO public.record_of_the_tool (path) VALUES ($1)', [path]);
  }
}

test.each(['supabase', 'prisma', 'psql'] as const)(
  'what %s applies leaves the ledger and the schema that installSql leaves',
  async (tool) => {
    const db = await database();
    await db.pool.query('CREATE TABLE public.record_of_the_tool (path text)');
    expect(await host.run('add', '--target', tool)).toBe(0);
    await apply(await db.connect(), tool);
    expect(await ledgerOf(db.pool, 'medzen')).toEqual(fresh.ledger);
    expect(await schemaText(db.pool)).toBe(fresh.schema);
    await checkSql(pgWire(db.pool));
  },
);

test('a file for psql runs pinned and whole, or leaves nothing, though psql itself is told neither', async () => {
  const db = await database();
  const client = await db.connect();
  const warnings: (string | undefined)[] = [];
  client.on('notice', ({ severity, message }) => severity === 'WARNING' && warnings.push(message));
  await host.run('add', '--target', 'psql');
  const [first = '', ...rest] = host.files().toSorted(byBytes).map(host.read);
  // Without ON_ERROR_STOP, psql goes on behind an error.
  const broken = first.replace(/\nCREATE TABLE/, '\nSELECT 1 / 0;\nCREATE TABLE');
  expect(broken).not.toBe(first);
  for (const statement of splitStatements(broken)) await client.query(statement).catch(() => undefined);
  expect((await client.query("SELECT to_regnamespace('medzen') AS schema")).rows).toEqual([{ schema: null }]);
  for (const file of [first, ...rest]) await runners.psql(client, file);
  expect(warnings).toEqual([]); // such as that SET LOCAL had no transaction
  const rollback = await host.run('print', '--rollback', '--only', '000002_audit');
  expect([rollback, host.said]).toEqual([0, expect.stringMatching(/^BEGIN;[\s\S]*COMMIT;$/)]);
});

describe('where another role applies than the one that is to own', () => {
  const suffix = randomUUID().slice(0, 8);
  const owner = `owner_${suffix}`;
  const runner = `runner_${suffix}`;
  let db: FreshDatabase;
  beforeEach(async () => {
    db = await database();
    // As Supabase's `postgres`: no superuser, but it may make roles and create in the database.
    await db.pool.query(`CREATE ROLE ${runner} LOGIN NOSUPERUSER CREATEROLE`);
    await db.pool.query(`
      DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${runner} WITH GRANT OPTION', current_database()); END $$;
      CREATE TABLE public.record_of_the_tool (path text);
      GRANT INSERT ON public.record_of_the_tool TO ${runner};`);
  });
  afterEach(async () => {
    await db.drop();
    const admin = await database();
    await admin.pool.query(`DROP ROLE IF EXISTS ${owner}; DROP ROLE ${runner}`);
  });

  async function as(role: string): Promise<pg.Client> {
    const url = new URL(db.url);
    url.username = role;
    const client = new pg.Client(url.href);
    client.on('error', () => undefined); // cut off by drop
    await client.connect();
    return client;
  }

  test.each(['supabase', 'prisma', 'psql'] as const)(
    'the owner owns everything, and %s has its own rights back for its record',
    async (tool) => {
      const client = await as(runner);
      await host.run('print', '--administrator', '--owner', owner);
      await client.query(host.said);
      await host.run('add', '--target', tool, '--owner', owner);
      await apply(client, tool);
      await client.end();
      const { findings, facts } = await examineSql(await db.connect());
      expect(facts.owner).toBe(owner);
      expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
      const { rows } = await db.pool.query(`
        SELECT DISTINCT proowner::regrole::text AS owner FROM pg_proc
        WHERE pronamespace IN ('medzen'::regnamespace, to_regnamespace('medzen_api'))`);
      expect(rows).toEqual([{ owner }]);
    },
  );

  test('a runner that is not a member of the owner is told so by the server, and nothing is made', async () => {
    await db.pool.query(`CREATE ROLE ${owner} NOLOGIN`);
    const client = await as(runner);
    await host.run('add', '--target', 'prisma', '--owner', owner);
    await expect(apply(client, 'prisma')).rejects.toThrow(`permission denied to set role "${owner}"`);
    await client.end();
    const { rows } = await db.pool.query("SELECT to_regnamespace('medzen') AS schema");
    expect(rows).toEqual([{ schema: null }]);
  });
});
