import { randomUUID } from 'node:crypto';
import type { ConsentRecord } from '@medzen/core';
import { createSamples } from '@medzen/testing';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { installSql, pgWire, sqlStores } from './index.ts';

const scope = { tenant: 'clinic-a' };

let db: FreshDatabase;
let stranger: pg.Client;
beforeAll(async () => {
  db = await freshDatabase({ test: true });
  stranger = await db.connect();
  await stranger.query(
    `DO $$ BEGIN CREATE ROLE lock_timeout_stranger; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
  );
  await stranger.query('SET SESSION AUTHORIZATION lock_timeout_stranger'); // who may connect, and nothing else
}, 120_000);
afterAll(() => db.drop());

interface Routine {
  readonly name: string;
  readonly text: string;
  readonly bound: string | null;
}

/** The functions that may write: what is STABLE or IMMUTABLE, Postgres itself does not let write. */
async function volatile(): Promise<readonly Routine[]> {
  const { rows } = await db.pool.query<Routine>(`
    SELECT p.oid::regproc::text AS name, pg_get_functiondef(p.oid) AS text,
      (SELECT split_part(c, '=', 2) FROM unnest(p.proconfig) c WHERE c LIKE 'lock_timeout=%') AS bound
    FROM pg_proc p WHERE p.pronamespace IN ('medzen'::regnamespace, 'medzen_api'::regnamespace)
      AND p.provolatile = 'v' AND p.prokind = 'f' ORDER BY 1`);
  return rows;
}

/** Helpers that neither write, nor lock, nor call a function that does. */
const harmless = [
  'check_claim_options',
  'check_fact',
  'check_keep',
  'check_tenant',
  'fail',
  'guard_access_request',
  'guard_archive',
  'guard_identity',
  'guard_legal_hold',
  'guard_recording',
  'jcs_event',
  'now',
  'now_ns',
  'oldest_transaction',
  'oldest_writer',
  'open_ms',
  'audit_lag',
  'pseudonymize_review',
  'random_nonce',
  'read_clock',
  'refuse_change',
  'refuse_clear_rows',
  'refuse_purged',
  'refuse_review_change',
  'refuse_tile_change',
  'refuse_unaudited',
  'repeated_access_request',
  'repeated_hold',
  'uuid_at',
].map((name) => `medzen.${name}`);

const writing =
  /\b(INSERT INTO|UPDATE|DELETE FROM|FOR (NO KEY )?UPDATE|FOR (KEY )?SHARE|LOCK TABLE|TRUNCATE|EXECUTE|CREATE|ALTER|DROP|MERGE|pg_advisory\w*)\b/;

describe('a function that writes', () => {
  test('waits for a lock for a bounded time, each of them', async () => {
    const unbound = (await volatile()).filter(({ bound }) => bound === null).map(({ name }) => name);
    expect(unbound.filter((name) => !harmless.includes(name))).toEqual([]);
  });

  test('is none of the helpers that are let off', async () => {
    const all = await volatile();
    const writers = all.filter(({ bound }) => bound !== null).map(({ name }) => name);
    for (const { name, text } of all.filter(({ bound }) => bound === null)) {
      const body = text
        .slice(text.indexOf('\n'))
        .replace(/--.*/g, '')
        .replace(/'[^'\n]*'/g, '');
      expect(body, name).not.toMatch(writing);
      for (const writer of writers) expect(body, `${name} calls ${writer}`).not.toContain(`${writer}(`);
    }
  });

  test('waits no longer than the deadline of a wire, but for the owner who makes partitions', async () => {
    const slow = (await volatile()).filter(
      ({ bound }) => bound !== null && !/^\d{1,4}(ms)?$|^[1-9]s$|^10s$/.test(bound),
    );
    expect(slow.map(({ name, bound }) => `${name} ${bound}`)).toEqual(['medzen.make_audit_partitions 1min']);
  });

  test('waits for no advisory lock without a bound, and for none that a stranger can hold by a name he knows', async () => {
    const { rows } = await db.pool.query<Routine>(`
      SELECT p.oid::regproc::text AS name, pg_get_functiondef(p.oid) AS text,
        (SELECT split_part(c, '=', 2) FROM unnest(p.proconfig) c WHERE c LIKE 'lock_timeout=%') AS bound
      FROM pg_proc p WHERE p.pronamespace IN ('medzen'::regnamespace, 'medzen_api'::regnamespace) AND p.prokind = 'f'
        AND pg_get_functiondef(p.oid) ~ 'pg_advisory'`);
    // By the id of an event that is being written: nobody else knows it.
    expect(rows.map(({ name, bound }) => ({ name, bound }))).toEqual([
      { name: 'medzen.append_pseudonymized', bound: '5s' },
    ]);
  });
});

describe('a login without any right', () => {
  test.each([
    ['medzen.open_archive', 'SELECT * FROM medzen.open_archive(10)'],
    ['medzen.make_audit_partitions', 'SELECT medzen.make_audit_partitions()'],
  ])('that holds the advisory lock %s holds up nobody', async (key, statement) => {
    await stranger.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [key]);
    try {
      await expect(db.pool.query(statement)).resolves.toBeDefined();
    } finally {
      await stranger.query('SELECT pg_advisory_unlock_all()');
    }
  });

  test('cannot take the locks that stand in their place', async () => {
    for (const table of ['archive_manifest', 'migration', 'job']) {
      const lock = `BEGIN; LOCK TABLE medzen.${table} IN SHARE UPDATE EXCLUSIVE MODE`;
      await expect(stranger.query(lock)).rejects.toMatchObject({ code: '42501' });
      await stranger.query('ROLLBACK');
    }
  });
});

test('an installer waits for another for a bounded time', async () => {
  // What the text says is what is sent: a minute is too long to wait for here.
  const statements: string[] = [];
  const listening = {
    query: async (text: string) => {
      statements.push(text);
      return { rows: [] };
    },
  };
  await installSql(listening, { schema: 'elsewhere' }).catch(() => undefined); // it finds no ledger afterwards
  const [first] = statements.filter((text) => text.includes('pg_advisory_xact_lock'));
  expect(first).toMatch(/^\s*SET LOCAL lock_timeout = '1min';\s*SELECT pg_advisory_xact_lock/);
});

describe('a client that consents inside a transaction and goes to lunch', () => {
  test('does not keep a patient from withdrawing without an answer: the lock is not free in time, and a retry goes through', async () => {
    const samples = createSamples({ scope });
    const consent = (participant: string, decision: 'given' | 'withdrawn'): ConsentRecord => ({
      id: randomUUID(),
      sessionId: 's1',
      participant,
      decision,
      acknowledgements: { recording: true, storage: true, access: true, retention: true },
      textVersion: '1',
      textSha256: 'a'.repeat(64),
      language: 'en',
      method: 'click',
      at: '2026-01-15T09:00:00.000Z',
    });
    const given = samples.event({ action: 'consent.give', kind: 'create' });
    const withdrawn = samples.event({ action: 'consent.withdraw', kind: 'create' });
    const root = pgWire(db.pool);
    const lunch = await db.connect();
    await lunch.query('BEGIN');
    await sqlStores(pgWire(lunch, { root })).consents.record(scope, consent('doctor', 'given'), given);
    const { consents } = sqlStores(root);
    const withdrawal = consent('patient', 'withdrawn');
    await expect(consents.record(scope, withdrawal, withdrawn)).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
      message: expect.stringContaining('holds a lock'),
      cause: { code: '55P03' },
    });
    await lunch.query('COMMIT');
    expect(await consents.record(scope, withdrawal, withdrawn)).toEqual({ status: 'recorded' });
  }, 30_000);
});
