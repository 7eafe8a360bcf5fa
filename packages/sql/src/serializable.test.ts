import { MedzenError } from '@medzen/core';
import { createSamples } from '@medzen/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { pgWire, sqlStores } from './index.ts';
import { retryConflicts } from './wires/retry-conflicts.ts';

const scope = { tenant: 'clinic-a' };
const workers = 8;
const rounds = 30;

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
}, 120_000);
afterAll(() => db.drop());

/** Each worker writes of a patient and a doctor of its own, so that whatever conflict there is lies in our tables. */
async function conflicts(newcomers: boolean): Promise<number> {
  const root = pgWire(db.pool);
  const samples = createSamples({ scope });
  let failed = 0;
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      const client = await db.connect();
      const { audit } = sqlStores(pgWire(client, { root }));
      for (let round = 0; round < rounds; round++) {
        const who = newcomers ? `${worker}-${round}` : `${worker}`;
        await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
        try {
          await audit.append(scope, [samples.event({ patient: `p${who}`, actor: { id: `doc${who}`, type: 'user' } })]);
          await client.query('COMMIT');
        } catch {
          failed++;
          await client.query('ROLLBACK');
        }
      }
      await client.end();
    }),
  );
  return failed;
}

test('SERIALIZABLE transactions that write of different people do not fail because of the log', async () => {
  expect(await conflicts(false)).toBe(0);
});

describe('with identities that can be erased', () => {
  beforeAll(() => db.pool.query("SELECT medzen.keep_erasable('patient', 'user')"));

  test('nor do those that write of people whom the log knows', async () => {
    const { audit } = sqlStores(pgWire(db.pool));
    const samples = createSamples({ scope });
    for (let worker = 0; worker < workers; worker++)
      await audit.append(scope, [
        samples.event({ patient: `p${worker}`, actor: { id: `doc${worker}`, type: 'user' } }),
      ]);
    expect(await conflicts(false)).toBe(0);
  });

  test('and a host that begins again gets newcomers in as well', async () => {
    for (let left = Number.POSITIVE_INFINITY; left > 0; ) left = await conflicts(true); // the same people each time
    expect(await conflicts(true)).toBe(0);
  });

  test('a call outside a transaction begins again by itself, in a database that is SERIALIZABLE by default', async () => {
    const pool = db.open({ max: workers, options: '-c default_transaction_isolation=serializable' });
    const { audit } = sqlStores(pgWire(pool));
    const samples = createSamples({ scope });
    const events = Array.from({ length: workers * rounds }, (_, at) =>
      samples.event({ patient: `new-${at}`, actor: { id: `new-doc-${at}`, type: 'user' } }),
    );
    await Promise.all(events.map((event) => audit.append(scope, [event])));
    await Promise.all(events.map((event) => audit.append(scope, [event]))); // a retry of each changes nothing
    const { rows } = await db.pool.query('SELECT FROM medzen.audit_event WHERE id = ANY ($1)', [
      events.map(({ id }) => id),
    ]);
    expect(rows).toHaveLength(events.length);
    const { rows: people } = await db.pool.query("SELECT FROM medzen.erasable_identity WHERE value LIKE 'new-%'");
    expect(people).toHaveLength(2 * events.length);
  });

  test('an event with the id of another is refused, and leaves nobody behind', async () => {
    const { audit } = sqlStores(pgWire(db.open({ options: '-c default_transaction_isolation=serializable' })));
    const samples = createSamples({ scope });
    const first = samples.event({ patient: 'first' });
    const second = samples.event({ patient: 'second' });
    await audit.append(scope, [first]);
    const taken = { id: first.id, body: new TextEncoder().encode(text(second.body).replace(second.id, first.id)) };
    await expect(audit.append(scope, [taken])).rejects.toMatchObject({ code: 'audit_conflict' });
    const { rows } = await db.pool.query("SELECT FROM medzen.erasable_identity WHERE value = 'second'");
    expect(rows).toEqual([]);
  });
});

describe('a call that meets another transaction', () => {
  const met = new MedzenError('store_unavailable', 'met', { cause: Object.assign(new Error('x'), { code: '40001' }) });

  test('is made ten times at most', async () => {
    let calls = 0;
    const call = async (): Promise<never> => {
      calls++;
      throw met;
    };
    await expect(retryConflicts((): boolean => true, call, undefined)).rejects.toBe(met);
    expect(calls).toBe(10);
  });

  test.each([
    ['inside a transaction of the host', (): boolean => false, undefined, met],
    ['whose signal is aborted', (): boolean => true, AbortSignal.abort(), met],
    ['that failed otherwise', (): boolean => true, undefined, new MedzenError('conflict', 'x')],
  ] as const)('is not made again %s', async (_, alone, signal, error) => {
    let calls = 0;
    const call = async (): Promise<never> => {
      calls++;
      throw error;
    };
    await expect(retryConflicts(alone, call, signal)).rejects.toBe(error);
    expect(calls).toBe(1);
  });
});

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
