import { inspect } from 'node:util';
import { type SqlFunction, sqlstates } from '@medzen/sql';
import {
  brokenWires,
  registerBroken,
  registerCases,
  type WireContext,
  type WireTransaction,
  wireCases,
  wireEchoFunctions,
  wireEchoSql,
} from '@medzen/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { prismaWire } from './index.ts';
import { type HostClient, hostClient, openTransaction } from './prisma-client.fixture.ts';

const functions: Readonly<Record<string, SqlFunction>> = Object.fromEntries(
  wireEchoFunctions.map(({ name, args }) => {
    const types = Object.fromEntries(args.map((arg) => [arg.name.replace(/^p_/, ''), arg.type]));
    return [name, { migration: 'wire contract', args: types }];
  }),
);

let db: FreshDatabase;
let prisma: HostClient;
let prisma6: HostClient;
let spare: HostClient;
const connections = 12;
beforeAll(async () => {
  db = await freshDatabase();
  await db.pool.query(wireEchoSql('medzen'));
  prisma = await hostClient(db.url, connections);
  prisma6 = await hostClient(db.url, connections, 6);
  spare = await hostClient(db.url, 2);
}, 120_000);
afterAll(async () => {
  await spare.$disconnect();
  await prisma.$disconnect();
  await prisma6.$disconnect();
  await db.drop();
});

/** What the cases are put to. */
const options = (client: () => HostClient) => ({
  test,
  skip: test.skip,
  capabilities: ['host-transaction', 'concurrency', 'deadline', 'reserve'] as const,
  async createContext(): Promise<WireContext> {
    await db.pool.query('TRUNCATE medzen.contract_note');
    const wire = prismaWire(client(), { functions, rootClient: spare });
    const transaction = async (): Promise<WireTransaction> => {
      const { tx, commit, rollback } = await openTransaction(client());
      return { wire: prismaWire(tx, { root: wire, functions }), commit, rollback };
    };
    return {
      wire,
      sqlstateOf: (code) => sqlstates[code],
      transaction,
      impatient: () => prismaWire(client(), { functions, deadlineMs: 100 }),
      crowd: () => Promise.all(Array.from({ length: connections }, transaction)),
    };
  },
});

describe('prismaWire', { meta: { carrier: 'Prisma' } }, () => {
  registerCases(
    wireCases,
    options(() => prisma),
  );
  const unseen = registerBroken(
    wireCases,
    brokenWires,
    options(() => prisma),
  );
  // Prisma cannot cancel.
  test('leaves no other broken wire unnoticed', () => expect(unseen).toEqual(['wire.late_goes_on']));
});

describe('prismaWire over Prisma 6', () => {
  registerCases(
    wireCases,
    options(() => prisma6),
  );
});

describe('a call', () => {
  const write = { contract_write: functions.contract_write ?? { migration: '', args: {} } };

  test('that needs the root, inside a transaction without one, says what to give', async () => {
    const { tx, rollback } = await openTransaction(prisma);
    const wire = prismaWire(tx, { functions });
    expect(wire.inTransaction).toBe(true);
    expect(wire.root.inTransaction).toBe(false);
    await expect(wire.root.call('contract_notes', {})).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('`root`'),
    });
    await rollback();
  });

  test('knows the transaction of a client with extensions', async () => {
    const extended = prisma.$extends({ name: 'of the host' });
    expect(prismaWire(extended).inTransaction).toBe(false);
    await extended.$transaction(async (tx) => expect(prismaWire(tx).inTransaction).toBe(true));
  });

  test("in a transaction that has failed, or is over, fails as the host's work did", async () => {
    const { tx, rollback } = await openTransaction(prisma);
    const wire = prismaWire(tx, { functions });
    await expect(wire.call('contract_raise', { sqlstate: 'MZ009' })).rejects.toMatchObject({ code: 'conflict' });
    await expect(wire.call('contract_notes', {})).rejects.toMatchObject({ code: 'conflict', retryable: false });
    await rollback();
    await expect(wire.call('contract_notes', {})).rejects.toMatchObject({ code: 'conflict', retryable: false });
  });

  test('by the root on a pool of one connection waits for the end of the transaction, not for ever', async () => {
    await db.pool.query('TRUNCATE medzen.contract_note');
    const one = await hostClient(db.url, 1);
    const root = prismaWire(one, { functions: write });
    const lost = one.$transaction(
      async (tx) => {
        const inside = prismaWire(tx, { root, functions: write });
        await inside.call('contract_write', { value: 'inside' });
        await inside.root.call('contract_write', { value: 'outside' });
      },
      { timeout: 3000 },
    );
    await expect(lost).rejects.toMatchObject({ code: 'P2028' });
    const { rows } = await db.pool.query('SELECT value FROM medzen.contract_note');
    expect(rows).toEqual([{ value: 'outside' }]);
    await one.$disconnect();
  });

  test('to a server which is not there says so, and not where it looked', async () => {
    const gone = await hostClient('postgres://someone:secret@127.0.0.1:1/none');
    const failed = prismaWire(gone)
      .call('read_clock', {})
      .catch((error: unknown) => error);
    expect(await failed).toMatchObject({ code: 'store_unavailable', retryable: true });
    expect(inspect(await failed)).not.toMatch(/secret|someone|127\.0/);
  });

  test('that is cut says that this passes', async () => {
    await db.pool.query(`
      CREATE FUNCTION medzen.contract_cut() RETURNS jsonb LANGUAGE sql AS
      $$ SELECT to_jsonb(pg_terminate_backend(pg_backend_pid())) $$`);
    const cut = { contract_cut: { migration: 'this test', args: {} } };
    const failed = prismaWire(prisma, { functions: cut }).call('contract_cut', {});
    await expect(failed).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
  });

  test('hands on, as the cause, what the server said, but none of the values it quoted', async () => {
    await db.pool.query("CREATE TABLE medzen.short (name text CHECK (name <> 'Ada Lovelace'), day date)");
    await db.pool.query(`
      CREATE FUNCTION medzen.contract_short(p_name text, p_day text) RETURNS jsonb LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO medzen.short VALUES (p_name, p_day::date); RETURN '{}'; END $$`);
    const short = { contract_short: { migration: 'this test', args: { name: 'text', day: 'text' } } };
    const wire = prismaWire(prisma, { functions: short });
    const checked = await wire.call('contract_short', { name: 'Ada Lovelace', day: '2026-11-21' }).catch(inspect);
    expect(checked).toMatch(/short_name_check/);
    expect(checked).toMatch(/23514/);
    const parsed = await wire.call('contract_short', { name: 'x', day: 'Ada Lovelace' }).catch(inspect);
    expect(parsed).toMatch(/22007/);
    expect(`${checked}${parsed}`).not.toContain('Lovelace');
  });

  test('names the migration of a function that is missing, and refuses a schema name that is not one', async () => {
    await db.pool.query('CREATE SCHEMA bare');
    const absent = prismaWire(prisma, { schema: 'bare' }).call('read_clock', {});
    await expect(absent).rejects.toMatchObject({
      code: 'migration_missing',
      message: expect.stringContaining('000006_claims'),
    });
    expect(() => prismaWire(prisma, { schema: 'a.b' })).toThrow(/plain/);
  });
});
