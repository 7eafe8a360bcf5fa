import { inspect } from 'node:util';
import { PGlite } from '@electric-sql/pglite';
import { sealEvent, type Wire } from '@medzen/core';
import {
  brokenWires,
  type RegisterOptions,
  registerBroken,
  registerCases,
  type WireContext,
  type WireTransaction,
  wireCases,
  wireEchoSql,
} from '@medzen/testing';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { openTransaction } from '../../../test/sql-contexts.ts';
import { manifest, type PgClient, pgliteWire, pgWire, sqlStores } from './index.ts';
import { echoFunctions as functions, sqlstateOf } from './wire-contract.fixture.ts';

let db: FreshDatabase;
let lite: PGlite;
beforeAll(async () => {
  db = await freshDatabase();
  lite = await PGlite.create();
  await lite.exec('CREATE SCHEMA medzen');
  await db.pool.query(wireEchoSql('medzen'));
  await lite.exec(wireEchoSql('medzen'));
}, 120_000);
afterAll(async () => {
  await lite.close();
  await db.drop();
});

async function emptyNotes(): Promise<void> {
  await db.pool.query('TRUNCATE medzen.contract_note');
}

function putWire(more: Omit<RegisterOptions<WireContext>, 'test' | 'skip'>): void {
  const options = { test, skip: test.skip, ...more };
  registerCases(wireCases, options);
  registerBroken(wireCases, brokenWires, options);
}

function hostTransaction(
  client: PgClient & { query(sql: string): Promise<unknown> },
  wire: Wire,
): Promise<WireTransaction> {
  return client.query('BEGIN').then(() => ({
    wire,
    commit: async () => void (await client.query('COMMIT')),
    rollback: async () => void (await client.query('ROLLBACK')),
  }));
}

describe.each([{ prepare: false }, { prepare: true }])(
  'pgWire over a Pool, %o',
  { meta: { carrier: 'pg' } },
  ({ prepare }) => {
    putWire({
      capabilities: ['host-transaction', 'concurrency', 'deadline', 'cancel', 'reserve'],
      async createContext(): Promise<WireContext> {
        await emptyNotes();
        const wire = pgWire(db.pool, { functions, prepare });
        let client: pg.Client | undefined;
        return {
          wire,
          sqlstateOf,
          impatient: () => pgWire(db.pool, { functions, prepare, deadlineMs: 100 }),
          crowd: () =>
            Promise.all(
              Array.from({ length: db.pool.options.max }, async () => {
                const lent = await db.pool.connect();
                const open = await hostTransaction(lent, pgWire(lent, { root: wire, functions, prepare }));
                return { ...open, commit: () => open.commit().finally(() => lent.release()) };
              }),
            ),
          async transaction() {
            client = await db.connect();
            return hostTransaction(client, pgWire(client, { root: wire, functions, prepare }));
          },
          dispose: async () => client?.end(),
        };
      },
    });
  },
);

describe('pgWire over one Client', { meta: { carrier: 'pg' } }, () => {
  putWire({
    capabilities: ['host-transaction', 'one-connection', 'deadline', 'cancel'],
    async createContext(): Promise<WireContext> {
      await emptyNotes();
      const client = await db.connect();
      const wire = pgWire(client, { functions });
      return {
        wire,
        sqlstateOf,
        impatient: () => pgWire(client, { functions, deadlineMs: 100 }),
        transaction: () => hostTransaction(client, wire),
        dispose: () => client.end(),
      };
    },
  });

  test('takes part in a transaction that the host began without saying so', async () => {
    const client = await db.connect();
    const wire = pgWire(client, { functions });
    expect(wire.inTransaction).toBe(false);
    await client.query('BEGIN');
    expect(wire.inTransaction).toBe(true);
    await expect(wire.root.call('contract_notes', {})).rejects.toMatchObject({ code: 'wire_busy' });
    await client.query('COMMIT');
    expect(wire.inTransaction).toBe(false);
  });

  test('calls nothing durable that a transaction took in which began in the meantime', async () => {
    const client = await db.connect();
    const wire = pgWire(client, { functions });
    const begun = client.query('BEGIN'); // by somebody else who shares the connection: its answer is not there yet
    await expect(wire.root.call('contract_notes', {})).rejects.toMatchObject({ code: 'wire_busy' });
    await begun;
    await client.query('ROLLBACK');

    const { audit } = sqlStores(wire);
    const again = client.query('BEGIN');
    const event = sealEvent({
      tenant: 'clinic-a',
      action: 'note.write',
      kind: 'update',
      outcome: 'success',
      actor: { id: 'u1', type: 'user' },
      source: {},
    });
    expect(await audit.append({ tenant: 'clinic-a' }, [event])).toEqual({ status: 'pending-commit' });
    await again;
    await client.query('ROLLBACK');
  });

  test("tells a call in a failed transaction that the host's work is lost", async () => {
    const client = await db.connect();
    const wire = pgWire(client, { functions });
    await client.query('BEGIN');
    await expect(wire.call('contract_raise', { sqlstate: 'MZ009' })).rejects.toMatchObject({ code: 'conflict' });
    await expect(wire.call('contract_notes', {})).rejects.toMatchObject({ code: 'conflict', retryable: false });
    await client.query('ROLLBACK');
  });
});

describe('pgliteWire', { meta: { carrier: 'PGlite' } }, () => {
  putWire({
    capabilities: ['host-transaction', 'one-connection'],
    async createContext(): Promise<WireContext> {
      await lite.exec('TRUNCATE medzen.contract_note');
      const wire = pgliteWire(lite, { functions });
      let opened = async (): Promise<void> => undefined;
      return {
        wire,
        sqlstateOf,
        async transaction() {
          const { tx, commit, rollback } = await openTransaction(lite);
          opened = async () => (tx.closed ? undefined : rollback());
          return { wire: pgliteWire(tx, { root: wire, functions }), commit, rollback };
        },
        dispose: () => opened(), // a case that failed leaves the only connection in its transaction
      };
    },
  });
});

describe('a wire', () => {
  test("is not misled by a host's own parsers", async () => {
    const { default: pg } = await import('pg');
    const before = pg.types.getTypeParser(23);
    pg.types.setTypeParser(23, () => -1);
    try {
      const [row] = await pgWire(db.pool, { functions }).call('contract_int4', { value: 7 });
      expect(row).toEqual({ value: 7 });
    } finally {
      pg.types.setTypeParser(23, before);
    }
  });

  test('says that a server which is not there is unavailable, without saying where it looked', async () => {
    const pool = db.open({ connectionString: 'postgres://someone:secret@127.0.0.1:1/none' });
    const failed = pgWire(pool, { functions }).call('contract_notes', {});
    await expect(failed).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    await expect(failed).rejects.not.toThrow(/secret|127/);
  });

  test('hands on, as the cause, what the server said, but none of the values it quoted', async () => {
    await db.pool.query("CREATE TABLE medzen.short (name text CHECK (name <> 'Ada Lovelace'), day date)");
    await db.pool.query(`
      CREATE FUNCTION medzen.contract_short(p_name text, p_day text) RETURNS jsonb LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO medzen.short VALUES (p_name, p_day::date); RETURN '{}'; END $$`);
    const short = { contract_short: { migration: 'this test', args: { name: 'text', day: 'text' } } };
    for (const wire of [pgWire(db.pool, { functions: short }), pgWire(await db.connect(), { functions: short })]) {
      const checked = await wire.call('contract_short', { name: 'Ada Lovelace', day: '2026-11-21' }).catch(inspect);
      expect(checked).toMatch(/23514/);
      expect(checked).toMatch(/short_name_check/);
      const parsed = await wire.call('contract_short', { name: 'x', day: 'Ada Lovelace' }).catch(inspect);
      expect(parsed).toMatch(/22007/);
      expect(`${checked}${parsed}`).not.toContain('Lovelace');
    }
  });

  test('says that a time-out and a cut connection pass', async () => {
    const slow = db.open({ statement_timeout: 50, max: 1 });
    await db.pool.query(
      'CREATE FUNCTION medzen.contract_sleep() RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb(pg_sleep(20)::text) $$',
    );
    const sleep = { contract_sleep: { migration: 'this test', args: {} } };
    await expect(pgWire(slow, { functions: sleep }).call('contract_sleep', {})).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    const client = await db.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const cut = pgWire(client, { functions: sleep }).call('contract_sleep', {});
    const ending = async (): Promise<void> => {
      const asleep = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
      while ((await db.pool.query(asleep, [rows[0]?.pid])).rowCount === 0); // the call is on its way to the server
    };
    const [failed] = await Promise.allSettled([cut, ending()]);
    expect(failed).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
  });

  test('that prepares works on across a migration that changes what a function gives', async () => {
    const pool = db.open({ max: 2 });
    const make = (columns: string, values: string): Promise<unknown> =>
      db.pool.query(`DROP FUNCTION IF EXISTS medzen.contract_changes; CREATE FUNCTION medzen.contract_changes()
        RETURNS TABLE (${columns}) LANGUAGE sql AS $$ SELECT ${values} $$`);
    const changes = { contract_changes: { migration: 'this test', args: {} } };
    const root = pgWire(pool, { functions: changes, prepare: true });
    const call = (): Promise<unknown> => root.call('contract_changes', {});
    await make('a text', "'one'");
    expect(await Promise.all([call(), call(), call(), call()])).toEqual(Array(4).fill([{ a: 'one' }]));
    await make('a text, b text', "'one', 'two'");
    expect(await Promise.all([call(), call(), call(), call()])).toEqual(Array(4).fill([{ a: 'one', b: 'two' }]));

    // Inside a transaction of the host, which has failed by then, only the host can begin again; and then it works.
    const client = await pool.connect();
    const inside = pgWire(client, { root, functions: changes, prepare: true });
    const once = async (): Promise<unknown> => {
      await client.query('BEGIN');
      return inside.call('contract_changes', {}).finally(() => client.query('COMMIT'));
    };
    await once();
    await make('a text', "'one'");
    await expect(once()).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    expect(await once()).toEqual([{ a: 'one' }]);
    client.release();
  });

  test('names the migration of a function that is missing, and the role that may not call', async () => {
    await db.pool.query('CREATE SCHEMA bare');
    const absent = pgWire(db.pool, { schema: 'bare' }).call('append_events', { tenant: 'a', ids: [], bodies: '' });
    await expect(absent).rejects.toMatchObject({
      code: 'migration_missing',
      message: expect.stringContaining(manifest.append_events?.migration ?? '?'),
    });
    const outsider = db.open({ options: '-c role=medzen_auditor' });
    await expect(pgWire(outsider).call('append_events', { tenant: 'a', ids: [], bodies: '' })).rejects.toMatchObject({
      code: 'invalid_configuration',
    });
  });

  test('refuses a schema name that is not one', () => {
    expect(() => pgWire(db.pool, { schema: 'a.b' })).toThrow(/plain/);
    expect(() => pgliteWire(lite, { schema: 'a;' })).toThrow(/plain/);
  });
});
