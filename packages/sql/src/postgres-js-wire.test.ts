import { inspect } from 'node:util';
import type { Wire } from '@medzen/core';
import {
  brokenWires,
  registerBroken,
  registerCases,
  type WireContext,
  type WireTransaction,
  wireCases,
  wireEchoSql,
} from '@medzen/testing';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type SeverableProxy, severableProxy } from '../../../test/severable-proxy.ts';
import { openPostgresJs } from '../../../test/sql-contexts.ts';
import { postgresJsWire } from './index.ts';
import { echoFunctions as functions, sqlstateOf } from './wire-contract.fixture.ts';

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  await db.pool.query(wireEchoSql('medzen'));
}, 120_000);
afterAll(() => db.drop());

const opened: postgres.Sql[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((sql) => sql.end({ timeout: 5 })));
});

function open(options: object = {}, url = db.url): postgres.Sql {
  const sql = postgres(url, { max: 4, backoff: false, ...options });
  opened.push(sql);
  return sql;
}

async function notes(): Promise<readonly string[]> {
  const { rows } = await db.pool.query<{ value: string }>('SELECT value FROM medzen.contract_note ORDER BY n');
  return rows.map(({ value }) => value);
}

// What a host may have told the driver for its own queries.
const hostile = {
  transform: postgres.camel,
  types: {
    bytea: { to: 17, from: [17], serialize: () => 'wrong', parse: () => 'wrong' },
    flag: { to: 16, from: [16], serialize: () => 'wrong', parse: () => 'wrong' },
    number: { to: 23, from: [21, 23], serialize: () => 'wrong', parse: () => 'wrong' },
    json: { to: 3802, from: [114, 3802], serialize: () => 'wrong', parse: () => 'wrong' },
  },
};

test.each([{}, { prepare: false }])(
  'a call that is aborted before it was sent costs no other its answer (%o)',
  async (settings) => {
    const wire = postgresJsWire(open({ max: 1, ...settings }), { functions });
    for (let round = 0; round < 5; round++) {
      const gone = new AbortController();
      const text = (value: string, signal?: AbortSignal) => wire.call('contract_text', { value }, { signal });
      // Only the first is on its way: the connection is opened for it, or is busy with it.
      const answered = [text('a'), text('b')];
      const aborted = [text('c', gone.signal), text('d', gone.signal)];
      answered.push(text('e'), text('f'));
      gone.abort();
      for (const call of await Promise.allSettled(aborted))
        expect(call).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
      expect((await Promise.all(answered)).flat()).toEqual(['a', 'b', 'e', 'f'].map((value) => ({ value })));
    }
  },
);

test.each([{}, { prepare: false }])(
  'a call that is aborted behind another on its connection costs no other its answer (%o)',
  async (settings) => {
    const wire = postgresJsWire(open({ max: 1, ...settings }), { functions });
    const text = (value: string, signal?: AbortSignal) => wire.call('contract_text', { value }, { signal });
    const rows = (...values: readonly string[]) => values.map((value) => ({ value }));
    expect(await text('prepared')).toEqual(rows('prepared')); // from now on statements are sent while others run
    for (let round = 0; round < 3; round++) {
      const gone = new AbortController();
      const first = wire.call('contract_sleep', { seconds: 1 });
      const aborted = [text('a', gone.signal), text('b', gone.signal)];
      const answered = [text('c'), text('d')];
      await new Promise(setImmediate); // on their way
      gone.abort();
      for (const call of await Promise.allSettled(aborted))
        expect(call).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
      expect((await Promise.all([first, ...answered])).flat()).toEqual(rows('slept', 'c', 'd'));
      expect(await text('after')).toEqual(rows('after'));
    }
  },
);

describe.each([
  ['as it comes', {}, ['host-transaction', 'concurrency', 'deadline', 'cancel', 'reserve']],
  ['that prepares nothing', { prepare: false }, ['host-transaction', 'concurrency', 'deadline', 'cancel', 'reserve']],
  ["with a host's own types and transforms", hostile, ['host-transaction', 'concurrency', 'deadline', 'cancel']],
  // Whether its transaction is over cannot be seen, so nothing more is asked of one connection here: see below.
  ['with one connection', { max: 1 }, ['host-transaction', 'deadline', 'cancel']],
] as const)(
  'postgresJsWire over a pool %s',
  {
    meta: { carrier: 'postgres.js' },
  },
  (_name, settings, capabilities) => {
    const options = {
      test,
      skip: test.skip,
      capabilities,
      async createContext(): Promise<WireContext> {
        await db.pool.query('TRUNCATE medzen.contract_note');
        const sql = open(settings);
        const reserve = capabilities.some((one) => one === 'reserve') && { rootPool: open({ max: 2 }) };
        const wire = postgresJsWire(sql, { functions, ...reserve });
        const transaction = async (): Promise<WireTransaction> => {
          const { tx, commit, rollback } = await openPostgresJs(sql);
          return { wire: postgresJsWire(tx, { root: wire, functions }), commit, rollback };
        };
        return {
          wire,
          sqlstateOf,
          transaction,
          impatient: () => postgresJsWire(sql, { functions, deadlineMs: 100 }),
          crowd: () => Promise.all(Array.from({ length: sql.options.max }, transaction)),
        };
      },
    };
    registerCases(wireCases, options);
    registerBroken(wireCases, brokenWires, options);
  },
);

describe('postgresJsWire', () => {
  afterEach(() => db.pool.query('TRUNCATE medzen.contract_note'));

  test("gives the schema's names of columns where a host has them rewritten", async () => {
    await db.pool.query(`CREATE OR REPLACE FUNCTION medzen.contract_names() RETURNS TABLE (n int4, lease_until_at text)
      LANGUAGE sql AS $$ SELECT 1, 'x' $$`);
    const names = { contract_names: { migration: 'this test', args: {} } };
    for (const transform of [postgres.camel, postgres.pascal, postgres.kebab, {}]) {
      const wire = postgresJsWire(open({ transform }), { functions: names });
      expect(await wire.call('contract_names', {})).toEqual([{ n: 1, lease_until_at: 'x' }]);
    }
  });

  test('keeps a byte order mark, which is a character of the text', async () => {
    const wire = postgresJsWire(open(), { functions });
    expect(await wire.call('contract_text', { value: '\uFEFFnote' })).toEqual([{ value: '\uFEFFnote' }]);
  });

  test("commits and rolls back with the host's own writes; what goes by the root stays", async () => {
    await db.pool.query('CREATE TABLE host_note (text text)');
    const sql = open();
    const root = postgresJsWire(sql, { functions });
    const undone = sql.begin(async (tx) => {
      const wire = postgresJsWire(tx, { root, functions });
      await tx`INSERT INTO host_note VALUES ('undone')`;
      await wire.call('contract_write', { value: 'undone' });
      await wire.root.call('contract_write', { value: 'a denial' });
      throw new Error('the host changed its mind');
    });
    await expect(undone).rejects.toThrow('changed its mind');
    await sql.begin(async (tx) => {
      await tx`INSERT INTO host_note VALUES ('done')`;
      await postgresJsWire(tx, { root, functions }).call('contract_write', { value: 'done' });
    });
    expect(await sql`SELECT text FROM host_note`).toMatchObject([{ text: 'done' }]);
    expect(await notes()).toEqual(['a denial', 'done']);
  });

  test('goes with the savepoint that it was made from', async () => {
    const sql = open();
    const root = postgresJsWire(sql, { functions });
    await sql.begin(async (tx) => {
      await postgresJsWire(tx, { root, functions }).call('contract_write', { value: 'kept' });
      const part = tx.savepoint(async (inner) => {
        const wire = postgresJsWire(inner, { root, functions });
        expect(wire.inTransaction).toBe(true);
        await wire.call('contract_write', { value: 'undone' });
        await wire.call('contract_raise', { sqlstate: 'MZ009' });
      });
      await expect(part).rejects.toMatchObject({ code: 'conflict' });
    });
    expect(await notes()).toEqual(['kept']);
  });

  test('takes a reserved connection to be in a transaction, and reaches past it', async () => {
    const sql = open();
    const root = postgresJsWire(sql, { functions });
    const reserved = await sql.reserve();
    const wire = postgresJsWire(reserved, { root, functions });
    await reserved`BEGIN`;
    expect(wire.inTransaction).toBe(true);
    await wire.call('contract_write', { value: 'undone' });
    await wire.root.call('contract_write', { value: 'outside' });
    await reserved`ROLLBACK`;
    reserved.release();
    expect(await notes()).toEqual(['outside']);
  });

  test('knows a transaction without being told, and has nothing outside it then', async () => {
    await open().begin(async (tx) => {
      const wire = postgresJsWire(tx, { functions });
      expect(wire.inTransaction).toBe(true);
      await expect(wire.root.call('contract_notes', {})).rejects.toMatchObject({ code: 'wire_busy', retryable: true });
      expect(await wire.call('contract_notes', {})).toEqual([]); // and the transaction is as good as before
    });
  });

  test('answers wire_busy where the only connection is in the transaction, instead of waiting for ever', async () => {
    const sql = open({ max: 1 });
    const root = postgresJsWire(sql, { functions });
    await sql.begin(async (tx) => {
      const wire = postgresJsWire(tx, { root, functions });
      await expect(wire.root.call('contract_notes', {})).rejects.toMatchObject({ code: 'wire_busy' });
      await wire.call('contract_write', { value: 'inside' });
    });
    expect(await root.call('contract_notes', {})).toEqual([{ value: 'inside' }]);
  });

  test("tells a call in a failed transaction that the host's work is lost", async () => {
    const { tx, rollback } = await openPostgresJs(open());
    const wire = postgresJsWire(tx, { functions });
    await expect(wire.call('contract_raise', { sqlstate: 'MZ009' })).rejects.toMatchObject({ code: 'conflict' });
    await expect(wire.call('contract_notes', {})).rejects.toMatchObject({ code: 'conflict', retryable: false });
    await rollback();
  });

  test('hands on, as the cause, what the server said, but none of the values it or the driver quotes', async () => {
    await db.pool.query("CREATE TABLE medzen.short (name text CHECK (name <> 'Ada Lovelace'), day date)");
    await db.pool.query(`CREATE FUNCTION medzen.contract_short(p_name text, p_day text) RETURNS jsonb LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO medzen.short VALUES (p_name, p_day::date); RETURN '{}'; END $$`);
    const short = { contract_short: { migration: 'this test', args: { name: 'text', day: 'text' } } };
    const wire = postgresJsWire(open({ debug: () => undefined }), { functions: short });
    const checked = await wire.call('contract_short', { name: 'Ada Lovelace', day: '2026-11-21' }).catch(inspect);
    expect(checked).toMatch(/23514/);
    expect(checked).toMatch(/short_name_check/);
    const parsed = await wire.call('contract_short', { name: 'x', day: 'Ada Lovelace' }).catch(inspect);
    expect(parsed).toMatch(/22007/);
    const nowhere = open({ debug: () => undefined }, 'postgres://someone:secret@127.0.0.1:1/none');
    const unsent = await postgresJsWire(nowhere, { functions: short })
      .call('contract_short', { name: 'Ada Lovelace', day: '' })
      .catch(inspect);
    expect(unsent).toMatch(/store_unavailable/);
    expect(`${checked}${parsed}${unsent}`).not.toMatch(/Lovelace|secret/);
  });

  test('refuses a schema name that is not one', () => {
    expect(() => postgresJsWire(open(), { schema: 'a.b' })).toThrow(/plain/);
  });
});

describe('postgresJsWire when the server goes away', () => {
  let proxy: SeverableProxy;
  let url: URL;
  beforeAll(async () => {
    url = new URL(db.url);
    proxy = await severableProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(proxy.port);
  });
  afterAll(() => proxy.close());

  test('says so, and works on when it is back', async () => {
    const wire = postgresJsWire(open({}, url.href), { functions });
    await wire.call('contract_notes', {});
    proxy.sever();
    const gone = { code: 'store_unavailable', retryable: true };
    await expect(wire.call('contract_notes', {})).rejects.toMatchObject(gone);
    await expect(wire.call('contract_notes', {})).rejects.toMatchObject(gone);
    proxy.mend();
    expect(await wire.call('contract_notes', {})).toEqual([]);
  });

  test('says that a call that was under way may be tried again', async () => {
    await db.pool.query(`CREATE FUNCTION medzen.contract_sleep() RETURNS jsonb LANGUAGE sql AS
      $$ SELECT to_jsonb(pg_sleep(20)::text) $$`);
    const sleep = { ...functions, contract_sleep: { migration: 'this test', args: {} } };
    const gone = { code: 'store_unavailable', retryable: true };
    const cutIn = async (sql: postgres.ISql, wire: Wire): Promise<void> => {
      const [{ pid } = { pid: 0 }] = await sql.unsafe<{ pid: number }[]>('SELECT pg_backend_pid() AS pid');
      const cut = wire.call('contract_sleep', {});
      const ending = async (): Promise<void> => {
        const asleep =
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
        while ((await db.pool.query(asleep, [pid])).rowCount === 0); // the call is on its way to the server
      };
      const [failed] = await Promise.allSettled([cut, ending()]);
      expect(failed).toMatchObject({ status: 'rejected', reason: gone });
    };
    const sql = open({ max: 1 });
    await cutIn(sql, postgresJsWire(sql, { functions: sleep }));
    const transaction = sql.begin(async (tx) => {
      const wire = postgresJsWire(tx, { functions: sleep });
      await cutIn(tx, wire);
      await expect(wire.call('contract_notes', {})).rejects.toMatchObject(gone); // and the process lives
    });
    await expect(transaction).rejects.toThrow();
  });

  test('leaves nothing of a transaction that was cut', async () => {
    const sql = open({}, url.href);
    const cut = sql.begin(async (tx) => {
      const wire = postgresJsWire(tx, { functions });
      await wire.call('contract_write', { value: 'lost' });
      proxy.sever();
      await new Promise(() => undefined); // the driver ends the wait
    });
    await expect(cut).rejects.toThrow();
    proxy.mend();
    expect(await notes()).toEqual([]);
  });
});
