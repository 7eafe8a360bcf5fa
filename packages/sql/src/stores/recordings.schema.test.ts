import { firstLookMs, type RecordingState, recordingTransitions } from '@medzen/core';
import { createSamples } from '@medzen/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { pgWire } from '../index.ts';
import { consentStore } from './consents.ts';
import { recordingStore } from './recordings.ts';

/** What the tables hold to whoever comes past the functions. */

const scope = { tenant: 'tenant-1' };
const samples = createSamples({ scope });
const first = samples.newRecording({ patient: 'patient-1' });
const second = samples.newRecording({
  patient: 'patient-2',
  participants: [{ id: 'patient-2', role: 'patient' }],
});

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  const recordings = recordingStore(pgWire(db.pool));
  const consents = consentStore(pgWire(db.pool));
  for (const row of [first, second]) {
    await recordings.start(scope, row, [], samples.event());
    await consents.record(scope, samples.consent({ participant: row.patient }), samples.event());
    await recordings.noteFact(scope, samples.fact({ patient: row.patient }), samples.event());
    await recordings.placeHold(scope, samples.hold({ patient: row.patient }), samples.event());
  }
});
afterAll(() => db.drop());

test.each(Object.entries(recordingTransitions))(
  'from %s the same moves are allowed as in the library',
  async (from, to) => {
    const { rows } = await db.pool.query<{ next: string[] }>('SELECT medzen.next_states($1) AS next', [from]);
    expect(rows[0]?.next.toSorted()).toEqual(to.toSorted());
  },
);

test('each state is asked about for the first time when the library says', async () => {
  for (const state of Object.keys(recordingTransitions) as RecordingState[]) {
    const { rows } = await db.pool.query<{ ms: number | null }>(
      'SELECT (extract(epoch FROM medzen.first_look($1)) * 1000)::float8 AS ms',
      [state],
    );
    expect([state, rows[0]?.ms ?? undefined]).toEqual([state, firstLookMs[state]]);
  }
});

test('every state is one the column takes, and no other', async () => {
  const { rows } = await db.pool.query<{ check: string }>(`
    SELECT pg_get_constraintdef(oid) AS check FROM pg_constraint
    WHERE conrelid = 'medzen.recording'::regclass AND conname = 'recording_state_check'`);
  const states = [...(rows[0]?.check ?? '').matchAll(/'([a-z]+)'::text/g)].map(([, state]) => state);
  expect(states.toSorted()).toEqual(Object.keys(recordingTransitions).toSorted());
});

describe('the owner of the tables, past the functions,', () => {
  const where = `WHERE tenant = 'tenant-1' AND id = '${first.id}'`;
  test.each([
    [
      'moves no recording outside the table of moves',
      `UPDATE medzen.recording SET state = 'available' ${where}`,
      'MZ011',
    ],
    ['deletes no recording', `DELETE FROM medzen.recording ${where}`, 'MZ004'],
    ['gives no recording to another patient', `UPDATE medzen.recording SET patient = 'patient-2' ${where}`, 'MZ001'],
    ['changes no participant', `UPDATE medzen.recording_participant SET role = 'guest'`, 'MZ004'],
    ['rewrites no consent', `UPDATE medzen.consent SET decision = 'withdrawn'`, 'MZ004'],
    ['removes no consent', 'DELETE FROM medzen.consent', 'MZ004'],
    ['rewrites no fact', `UPDATE medzen.retention_fact SET date = '1990-01-01'`, 'MZ004'],
    ['moves no hold to another patient', `UPDATE medzen.legal_hold SET patient = 'patient-1'`, 'MZ001'],
    ['removes no hold', 'DELETE FROM medzen.legal_hold', 'MZ004'],
  ])('%s', async (_, sql, code) => {
    await expect(db.pool.query(sql)).rejects.toMatchObject({ code });
  });
});

test('with rights to read, a person sees the recordings they take part in and their own consents, and nobody else', async () => {
  await db.pool.query(`
    DO $$ BEGIN CREATE ROLE medzen_schema_test NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    GRANT USAGE ON SCHEMA medzen TO medzen_schema_test;
    GRANT SELECT ON ALL TABLES IN SCHEMA medzen TO medzen_schema_test;
    GRANT EXECUTE ON FUNCTION medzen.current_tenant, medzen.admin_tenant, medzen.visible_recordings, medzen.visible_consents
      TO medzen_schema_test;`);
  const seenBy = async (subject: string): Promise<Record<string, number>> => {
    const client = await db.connect();
    await client.query(
      `SET ROLE medzen_schema_test; SET medzen.actor = '${subject}'; SET medzen.context = '{"tenant": "tenant-1"}'`,
    );
    const { rows } = await client.query<Record<string, number>>(`
      SELECT (SELECT count(*) FROM medzen.recording)::int AS recordings,
        (SELECT count(*) FROM medzen.recording_participant)::int AS participants,
        (SELECT count(*) FROM medzen.consent)::int AS consents,
        (SELECT count(*) FROM medzen.legal_hold)::int AS holds,
        (SELECT count(*) FROM medzen.retention_fact)::int AS facts,
        (SELECT count(*) FROM medzen.webhook_seen)::int
          + (SELECT count(*) FROM medzen.retention_subject)::int AS other`);
    await client.end();
    return rows[0] ?? {};
  };
  const nothing = { recordings: 0, participants: 0, consents: 0, holds: 0, facts: 0, other: 0 };
  expect(await seenBy('patient-1')).toEqual({ ...nothing, recordings: 1, participants: 2, consents: 1 });
  expect(await seenBy('provider-1')).toEqual({ ...nothing, recordings: 1, participants: 2 });
  expect(await seenBy('stranger')).toEqual(nothing);
  expect(await seenBy('')).toEqual(nothing);
});

test('the role of a service may call the functions and read no table', async () => {
  const pool = db.open({ options: '-c role=medzen_app' });
  const recordings = recordingStore(pgWire(pool));
  expect((await recordings.get(scope, first.id))?.id).toBe(first.id);
  expect((await recordings.list(scope, { participant: 'provider-1' })).recordings).toHaveLength(1);
  await expect(pool.query('SELECT FROM medzen.recording')).rejects.toMatchObject({ code: '42501' });
  await expect(pool.query('SELECT medzen.recording_json(NULL)')).rejects.toMatchObject({ code: '42501' });
});
