import type { Stores } from '@medzen/core';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { pgWire } from '../index.ts';
import { recordingStore } from './recordings.ts';

/**
 * The queues and lists among a hundred thousand recordings: the plans of the statements inside the functions, as Postgres
 * itself logs them (`auto_explain`), and how many rows they looked at.
 */

const rows = 100_000;
const scope = { tenant: 'clinic' };
const now = new Date('2040-01-01T00:00:00.000Z');
const limit = 100;

let db: FreshDatabase;
let client: pg.Client;
let recordings: Stores['recordings'];

beforeAll(async () => {
  db = await freshDatabase();
  await fill();
  client = new pg.Client({ connectionString: db.url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`
    LOAD 'auto_explain';
    SET auto_explain.log_min_duration = 0;
    SET auto_explain.log_nested_statements = on;
    SET auto_explain.log_analyze = on;
    SET auto_explain.log_timing = off;
    SET auto_explain.log_format = json;
    SET client_min_messages = log;`);
  recordings = recordingStore(pgWire(client));
}, 120_000);
afterAll(async () => {
  await client.end();
  await db.drop();
});

/**
 * Most are kept until 2045; of each queue's kind there are a few hundred. Two in a hundred are of another tenant, and as
 * many are held, past their deadline or in back-off, where a poor index would wade through them.
 */
async function fill(): Promise<void> {
  await db.pool.query(`
    SET session_replication_role = replica;
    INSERT INTO medzen.retention_subject (tenant, patient, recordings)
      SELECT 'clinic', 'patient-' || n, 10 FROM generate_series(0, ${rows / 10 - 1}) n;
    INSERT INTO medzen.recording (tenant, id, session_id, patient, provider, provider_ref, state, state_at, started_at, object, deletion,
      object_prefix, jurisdiction, provider_class, zone, rules_version, facts_revision, decided_at, retain_until, warn_at,
      grace_until, deletable_at, rule_ids, subject_revision, hold_count, claim_after, failure)
    SELECT CASE WHEN n % 50 = 0 THEN 'other' ELSE 'clinic' END, gen_random_uuid(), 'session-' || n,
      'patient-' || n % ${rows / 10}, 'twilio', 'RM' || n, s.state, at, at,
      CASE WHEN s.state IN ('available', 'archived') 
        THEN '{"key":"k","versionId":"v","size":1,"sha256":"00","contentType":"video/mp4"}'::jsonb END,
      CASE WHEN s.state = 'deleting' THEN '{"from":"archived"}'::jsonb END, 'p/' || n, 'US-GA', 'psychologist',
      'America/New_York', CASE n % 1000 WHEN 5 THEN 'rules-0' WHEN 6 THEN 'rules-2' ELSE 'rules-1' END, 0, at,
      due - interval '90 days', due - interval '30 days', due, CASE WHEN n % 50 <> 13 THEN due END, '{}',
      CASE WHEN n % 1000 = 7 THEN 1 ELSE 0 END,
      CASE WHEN n % 50 = 1 THEN 1 ELSE 0 END,
      CASE WHEN n % 1000 = 9 THEN timestamptz '2999-01-01' ELSE '-infinity' END,
      CASE WHEN s.state = 'failed' THEN '{"code":"provider_unavailable","at":"x","attempts":1}'::jsonb END
    FROM generate_series(1, ${rows}) n,
    LATERAL (SELECT CASE WHEN n % 500 = 11 THEN 'uploading' WHEN n % 500 = 12 THEN 'failed' WHEN n % 500 = 13 THEN 'archived'
      WHEN n % 100 = 16 THEN 'processing'
      WHEN n % 200 = 14 THEN 'deleting' ELSE 'available' END AS state) s,
    LATERAL (SELECT timestamptz '2026-01-01' + n * interval '1 minute' AS at,
      timestamptz '2045-01-01' + n * interval '1 minute'
        - CASE WHEN n % 50 IN (1, 12, 13) OR n % 200 = 15 THEN interval '10 years' ELSE interval '0' END AS due) d;
    INSERT INTO medzen.recording_participant (tenant, recording_id, participant, started_at, position, role)
      SELECT tenant, id, patient, started_at, 1, 'patient' FROM medzen.recording;
    SET session_replication_role = DEFAULT;
    ANALYZE medzen.recording, medzen.recording_participant, medzen.retention_subject;`);
}

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

interface Scan {
  readonly type: string;
  readonly relation: string;
  readonly index: string | undefined;
  /** Rows that it read, those too that it then threw away. */
  readonly read: number;
}

/** Runs it, and gives every scan of every statement inside. */
async function scansOf(work: () => Promise<unknown>): Promise<readonly Scan[]> {
  const plans: Plan[] = [];
  const listen = (notice: { readonly message?: string | undefined }): void => {
    const json = /plan:\s*(\{[\s\S]*\})\s*$/.exec(notice.message ?? '')?.[1];
    if (json !== undefined) plans.push((JSON.parse(json) as { Plan: Plan }).Plan); // auto_explain's own format
  };
  client.on('notice', listen);
  await work();
  client.off('notice', listen);
  expect(plans.length).toBeGreaterThan(0);
  const scans: Scan[] = [];
  const walk = (plan: Plan): void => {
    if (plan['Node Type'].includes('Scan') && plan['Relation Name'] !== undefined)
      scans.push({
        type: plan['Node Type'],
        relation: plan['Relation Name'],
        index: plan['Index Name'],
        read: (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops'],
      });
    plan.Plans?.forEach(walk);
  };
  plans.forEach(walk);
  return scans;
}

/** @param most - rows of recordings that the statement may have looked at */
function expectIndexed(scans: readonly Scan[], index: string, most: number): void {
  const large = scans.filter(({ relation }) => relation === 'recording' || relation === 'recording_participant');
  expect(large.filter(({ type }) => type === 'Seq Scan')).toEqual([]);
  expect(large.map((scan) => scan.index)).toContain(index);
  expect(Math.max(...large.map(({ read }) => read))).toBeLessThanOrEqual(most);
}

describe(`among ${rows} recordings an index serves`, () => {
  test('claimExpired, past rows that are held, stale, waiting, or of another tenant', async () => {
    let claimed = 0;
    const scans = await scansOf(async () => {
      const claims = await recordings.claimExpired(scope, now, 'rules-1', { limit, leaseMs: 60_000 });
      claimed = claims.length;
    });
    expect(claimed).toBe(limit);
    expectIndexed(scans, 'recording_expired', 2 * limit);
    expectIndexed(scans, 'recording_deleting', 2 * limit);
  });

  test('claimTransfers', async () => {
    const scans = await scansOf(() => recordings.claimTransfers(scope, { limit, leaseMs: 60_000 }));
    expectIndexed(scans, 'recording_transfers', 2 * limit);
  });

  test('staleDecisions, of older and of newer rules and of moved facts', async () => {
    let found: readonly { readonly id: string }[] = [];
    const scans = await scansOf(async () => {
      found = await recordings.staleDecisions(scope, 'rules-1', 1000);
    });
    // n % 1000 of 5, 6 and 7
    expect(found).toHaveLength((3 * rows) / 1000);
    expectIndexed(scans, 'recording_rules', 1000);
    expectIndexed(scans, 'recording_facts', 1000);
  });

  test('staleDecisions when every decision is of other rules', async () => {
    const scans = await scansOf(() => recordings.staleDecisions(scope, 'rules-9', limit));
    expectIndexed(scans, 'recording_rules', 3 * limit);
  });

  test('dueWarnings', async () => {
    const scans = await scansOf(() => recordings.dueWarnings(scope, now, limit));
    expectIndexed(scans, 'recording_warnings', 2 * limit);
  });

  test('dueArchives', async () => {
    const scans = await scansOf(() => recordings.dueArchives(scope, now, 'rules-1', limit));
    expectIndexed(scans, 'recording_archives', 2 * limit);
  });

  test('undecided: a page of them, and a count that looks at no other', async () => {
    await db.pool.query(`SET session_replication_role = replica;
      UPDATE medzen.recording SET undated = 'unknown', retain_until = NULL, warn_at = NULL, grace_until = NULL, deletable_at = NULL
      WHERE tenant = 'clinic' AND state = 'available' AND session_id LIKE '%77';
      SET session_replication_role = DEFAULT;
      ANALYZE medzen.recording;`);
    let found: { readonly count: number; readonly recordings: readonly unknown[] } = { count: 0, recordings: [] };
    const scans = await scansOf(async () => {
      found = await recordings.undecided(scope, limit);
    });
    expect(found.count).toBe(rows / 100);
    expect(found.recordings).toHaveLength(limit);
    expectIndexed(scans, 'recording_undecided', rows / 100);
  });

  test('every kind of list of holds, on a later page too', async () => {
    await db.pool.query(`SET session_replication_role = replica;
      INSERT INTO medzen.legal_hold (tenant, id, patient, matter, reason, placed_by, placed_at, released_by, released_at)
      SELECT CASE WHEN n % 50 = 0 THEN 'other' ELSE 'clinic' END, 'h' || n, 'patient-' || n % ${rows / 10}, 'matter-' || n % 300, 'r', 'c',
        timestamptz '2026-01-01' + n * interval '1 minute',
        CASE WHEN n % 20 <> 1 THEN 'c' END, CASE WHEN n % 20 <> 1 THEN timestamptz '2027-01-01' END
      FROM generate_series(1, ${rows / 5}) n;
      SET session_replication_role = DEFAULT;
      ANALYZE medzen.legal_hold;`);
    const lists: [index: string | undefined, query: Parameters<typeof recordings.listHolds>[1], most: number][] = [
      ['legal_hold_by_place', {}, 60],
      ['legal_hold_active', { active: true }, 60],
      ['legal_hold_matter', { matter: 'matter-77' }, 120],
      [undefined, { patient: 'patient-77' }, 60],
    ];
    for (const [index, query, most] of lists) {
      let cursor: string | undefined;
      const ask = (more: object) =>
        scansOf(async () => {
          cursor = (await recordings.listHolds(scope, { ...query, limit: 50, ...more })).cursor;
        });
      for (const scans of [await ask({}), cursor === undefined ? [] : await ask({ cursor })]) {
        const holds = scans.filter(({ relation }) => relation === 'legal_hold');
        // Holds of a patient are found by two bitmaps, which carry no relation; how much was read says enough.
        if (holds.length > 0 && index !== undefined) expect(holds.map((scan) => scan.index)).toContain(index);
        expect([index, holds.filter(({ type }) => type === 'Seq Scan')]).toEqual([index, []]);
        expect([index, Math.max(0, ...holds.map(({ read }) => read)) <= most]).toEqual([index, true]);
      }
    }
  });

  test('claimReconciliations', async () => {
    await db.pool.query(`SET session_replication_role = replica;
      UPDATE medzen.recording SET look_after = started_at WHERE state IN ('recording', 'processing', 'uploading', 'failed');
      SET session_replication_role = DEFAULT;
      ANALYZE medzen.recording;`);
    let claimed = 0;
    const scans = await scansOf(async () => {
      claimed = (await recordings.claimReconciliations(scope, { limit, leaseMs: 60_000 })).length;
    });
    expect(claimed).toBe(limit);
    expectIndexed(scans, 'recording_looks', 2 * limit);
  });

  test('every kind of list, on a later page too', async () => {
    const page = 50;
    const lists: [index: string, query: Parameters<typeof recordings.list>[1]][] = [
      ['recording_by_start', {}],
      ['recording_by_session', { sessionId: 'session-77' }],
      ['recording_by_patient', { patient: 'patient-77' }],
      ['recording_by_state', { state: 'archived' }],
      ['recording_by_failure', { failureCode: 'provider_unavailable' }],
      ['recording_participant_of', { participant: 'patient-77' }],
    ];
    for (const [index, query] of lists) {
      let cursor: string | undefined;
      const scans = await scansOf(async () => {
        cursor = (await recordings.list(scope, { ...query, limit: page })).cursor;
      });
      expectIndexed(scans, index, page + 1);
      if (cursor === undefined) continue;
      const later = { ...query, limit: page, cursor };
      expectIndexed(await scansOf(() => recordings.list(scope, later)), index, page + 1);
    }
  });

  test('claimStops, among rows that were stopped long ago', async () => {
    await db.pool.query(`SET session_replication_role = replica;
      UPDATE medzen.recording SET stop_requested_at = started_at, stop_consent = id WHERE state = 'available';
      UPDATE medzen.recording SET state = 'recording', stop_requested_at = started_at, stop_consent = id WHERE state = 'uploading';
      SET session_replication_role = DEFAULT;
      ANALYZE medzen.recording;`);
    let claimed = 0;
    const scans = await scansOf(async () => {
      claimed = (await recordings.claimStops(scope, { limit, leaseMs: 60_000 })).length;
    });
    expect(claimed).toBe(limit);
    expectIndexed(scans, 'recording_stops', 2 * limit);
  });
});
