import { type Stores, sealEvent, type Wire } from '@medzen/core';
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { type SeverableProxy, severableProxy } from '../../../../test/severable-proxy.ts';
import { openPostgresJs } from '../../../../test/sql-contexts.ts';
import { pgWire, postgresJsWire, sqlStores } from '../index.ts';

const scope = { tenant: 'clinic-a' };
const gone = { code: 'store_unavailable', retryable: true };
const functions = {
  host_sleep: { migration: 'this test', args: { seconds: 'int4' } },
};

// A server that keeps its connections and answers nothing: stopped, frozen with its machine, or behind a firewall that drops packets.
let db: FreshDatabase;
let proxy: SeverableProxy;
let url: string;
const closers: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  db = await freshDatabase();
  const through = new URL(db.url);
  proxy = await severableProxy({ host: through.hostname, port: Number(through.port) });
  through.port = String(proxy.port);
  url = through.href;
  await db.pool.query(`CREATE FUNCTION medzen.host_sleep(p_seconds int4) RETURNS TABLE (value text) LANGUAGE sql AS
    $$ SELECT pg_sleep(p_seconds)::text $$`);
}, 120_000);
afterEach(async () => {
  proxy.mend();
  await Promise.all(closers.splice(0).map((close) => close()));
});
afterAll(async () => {
  await proxy.close();
  await db.drop();
});

function pgPool(max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max });
  pool.on('error', () => undefined);
  closers.push(() => pool.end());
  return pool;
}

function postgresJs(max: number): postgres.Sql {
  const sql = postgres(url, { max, backoff: false });
  closers.push(() => sql.end({ timeout: 1 }));
  return sql;
}

function event(): ReturnType<typeof sealEvent> {
  const actor = { id: 'u1', type: 'user' } as const;
  return sealEvent({ ...scope, action: 'note.view', kind: 'read', outcome: 'success', actor, source: {} });
}

async function countOf(id: string): Promise<number> {
  const { rowCount } = await db.pool.query('SELECT FROM medzen.audit_event WHERE id = $1', [id]);
  return rowCount ?? 0;
}

describe.each([
  ['pg', (): Wire => pgWire(pgPool(3), { deadlineMs: 300 })],
  ['pg, prepared', (): Wire => pgWire(pgPool(3), { deadlineMs: 300, prepare: true })],
  ['postgres.js', (): Wire => postgresJsWire(postgresJs(3), { deadlineMs: 300 })],
] as const)('over %s, of a server that answers nothing', (_name, open) => {
  test('each store says store_unavailable, and a retry under the same id writes one event', async () => {
    const stores: Stores = sqlStores(open());
    const late = event();
    // The first calls, until the ledger was read, may take longer than this deadline on a busy machine.
    while ((await stores.audit.append(scope, [event()]).catch(() => undefined)) === undefined);
    proxy.freeze();
    const calls = [
      stores.audit.append(scope, [late]),
      stores.audit.append(scope, [late], { durability: 'independent' }),
      stores.audit.search(scope, {}),
      stores.log.head(),
      stores.limits.consume(scope, [{ key: 'k', rate: 1, periodMs: 1, burst: 1, cost: 1 }]),
      stores.recordings.list(scope, {}),
      stores.consents.current(scope, 's1'),
      stores.cursors.read('a'),
      stores.reviews.list(scope, {}),
      stores.identities.kinds(),
      stores.archive.list(0, 1),
    ];
    for (const call of await Promise.allSettled(calls))
      expect(call).toMatchObject({ status: 'rejected', reason: gone });
    proxy.mend(); // what was on its way arrives now
    while ((await stores.audit.append(scope, [late]).catch(() => undefined)) === undefined);
    expect(await countOf(late.id)).toBe(1);
  });
});

describe('a call that is late inside a transaction', () => {
  test('of pg fails the transaction, and the connection can be rolled back and used again', async () => {
    const pool = pgPool(1);
    const client = await pool.connect();
    await client.query('BEGIN');
    const inside = pgWire(client, { root: pgWire(pool), functions, deadlineMs: 100 });
    await expect(inside.call('host_sleep', { seconds: 60 })).rejects.toMatchObject(gone);
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
    await client.query('ROLLBACK');
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    client.release();
  });

  test('of postgres.js fails the transaction', async () => {
    const sql = postgresJs(1);
    const { tx, rollback } = await openPostgresJs(sql);
    const inside = postgresJsWire(tx, { functions, deadlineMs: 100 });
    await expect(inside.call('host_sleep', { seconds: 60 })).rejects.toMatchObject(gone);
    await rollback();
    expect(await sql`SELECT 1 AS one`).toMatchObject([{ one: 1 }]);
  });

  test('does not send what was waiting for its turn', async () => {
    const client = await db.connect();
    const wire = pgWire(client, { functions, deadlineMs: 100 });
    const calls = [wire.call('host_sleep', { seconds: 60 }), wire.call('host_sleep', { seconds: 60 })];
    for (const call of await Promise.allSettled(calls))
      expect(call).toMatchObject({ status: 'rejected', reason: gone });
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});

describe("a pool full of the host's transactions", () => {
  test('lets each of them have its event, and every store of the root work', async () => {
    const pool = pgPool(5);
    const stores = sqlStores(pgWire(pool)); // whose ledger was not looked at yet
    const root = pgWire(pool);
    const transactions = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const client = await pool.connect();
        await client.query('BEGIN');
        return client;
      }),
    );
    const events = transactions.map(event);
    await Promise.all(
      transactions.map(async (client, i) => {
        const inside = sqlStores(pgWire(client, { root }));
        await inside.audit.append(scope, [events[i] ?? event()], { durability: 'independent' });
      }),
    );
    expect(await stores.limits.consume(scope, [{ key: 'k', rate: 1, periodMs: 1, burst: 1, cost: 1 }])).toHaveLength(1);
    await Promise.all(
      transactions.map(async (client) => {
        await client.query('ROLLBACK');
        client.release();
      }),
    );
    for (const { id } of events) expect(await countOf(id)).toBe(1);
  });

  test('opens no connection beside the pool while the pool has one free', async () => {
    const pool = pgPool(4);
    const root = pgWire(pool).root;
    await Promise.all(Array.from({ length: 4 }, () => root.call('read_head', {})));
    const mine = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%read_head%'
      AND pid <> pg_backend_pid()`;
    const { rows } = await db.pool.query<{ n: number }>(mine);
    expect(rows[0]?.n).toBe(pool.totalCount);
  });

  test("waits for the deadline where the host wants no reserve, and takes the host's own where it gives one", async () => {
    const pool = pgPool(1);
    const held = await pool.connect();
    const without = pgWire(pool, { rootConnections: 0, deadlineMs: 100 }).root;
    await expect(without.call('read_head', {})).rejects.toMatchObject(gone);
    const own = pgPool(1);
    expect(await pgWire(pool, { rootPool: own }).root.call('read_head', {})).toHaveLength(1);
    expect(own.totalCount).toBe(1);
    held.release();
  });
});

test.each([{ deadlineMs: 0 }, { deadlineMs: 1.5 }, { rootConnections: -1 }, { rootConnections: 101 }])(
  '%o is refused when the wire is made, naming the option',
  (options) => {
    expect(() => pgWire(pgPool(1), options)).toThrow(new RegExp(`^${Object.keys(options)[0]} must be`));
  },
);
