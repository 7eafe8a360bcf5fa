import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';

let db: FreshDatabase;
let auditor: pg.Pool;
beforeAll(async () => {
  db = await freshDatabase({ test: true });
  auditor = db.open({ options: '-c role=medzen_auditor', max: 1 });
  await db.pool.query("SELECT medzen.set_test_clock('2026-11-22T12:00:00Z')");
}, 120_000);
afterAll(() => db.drop());

/** Puts an event into the log as it stands after sealing: its id tells the time, unless it is a stray. */
async function put(at: string, of: Readonly<Record<string, string | boolean>>): Promise<void> {
  const row = {
    tenant: 'clinic',
    actor: 'd1',
    patient: 'p1',
    outcome: 'success',
    target: 'recording',
    stray: false,
    ...of,
  };
  await db.pool.query(
    `INSERT INTO medzen.audit_event (id, tenant, at, actor, patient, action, outcome, target_type, stray, written_at, body)
     VALUES (CASE WHEN $7 THEN gen_random_uuid() ELSE medzen.uuid_at($1)::uuid END,
       $2, $1, $3, nullif($4, ''), 'a.b', $5, $6, $7, $1, '')`,
    [at, row.tenant, row.actor, row.patient, row.outcome, row.target, row.stray],
  );
}

describe('monthly_phi_access', () => {
  const read = async (): Promise<unknown[][]> => {
    const { rows } = await auditor.query({
      text: `SELECT tenant, to_char(month, 'YYYY-MM'), actor, directory_id, role, email, accesses::int, patients::int,
          target_types::int, refused::int
        FROM medzen.monthly_phi_access ORDER BY 1, 2, 3`,
      rowMode: 'array',
    });
    return rows;
  };

  test('counts accesses, patients and kinds of target by person and month, this one and the twelve before', async () => {
    await put('2026-11-01T00:00:00Z', {});
    await put('2026-11-02T00:00:00Z', { patient: 'p2', target: 'note' });
    await put('2026-11-02T00:00:00Z', { patient: 'p2' });
    await put('2026-11-03T00:00:00Z', { patient: 'p3', outcome: 'denied' });
    await put('2026-11-03T00:00:00Z', { patient: '' }); // concerns no patient
    await put('2026-10-31T23:59:59Z', { actor: 'd2' });
    await put('2025-11-01T00:00:00Z', { tenant: 'other', stray: true });
    await put('2025-11-01T00:00:00Z', { tenant: 'other' });
    await put('2025-10-31T23:59:59Z', {});
    await put('2025-10-31T23:59:59Z', { stray: true });
    expect(await read()).toEqual([
      ['clinic', '2026-10', 'd2', null, null, null, 1, 1, 1, 0],
      ['clinic', '2026-11', 'd1', null, null, null, 3, 2, 2, 1],
      ['other', '2025-11', 'd1', null, null, null, 2, 1, 1, 0],
    ]);
  });

  test("names people from the host's directory, and counts no access twice for somebody who stands there twice", async () => {
    await db.pool.query(`
      CREATE TABLE public.staff (uid text, email text, since timestamptz);
      INSERT INTO public.staff VALUES ('d1', 'old@clinic.example', '2020-01-01'), ('d1', 'd1@clinic.example', '2024-01-01');
      CREATE OR REPLACE VIEW medzen.directory WITH (security_invoker = false) AS
      SELECT uid AS subject, uid || '-id' AS id, 'physician' AS role, email, since AS created_at FROM public.staff`);
    expect(await read()).toEqual([
      ['clinic', '2026-10', 'd2', null, null, null, 1, 1, 1, 0],
      ['clinic', '2026-11', 'd1', 'd1-id', 'physician', 'd1@clinic.example', 3, 2, 2, 1],
      ['other', '2025-11', 'd1', 'd1-id', 'physician', 'd1@clinic.example', 2, 1, 1, 0],
    ]);
  });

  test('begins with a month of UTC, wherever the session is and however long February was', async () => {
    await db.pool.query("SELECT medzen.set_test_clock('2025-03-10T12:00:00Z')");
    await put('2024-02-29T12:00:00Z', { tenant: 'leap' });
    await put('2024-03-01T00:00:00Z', { tenant: 'leap', actor: 'd3' });
    await auditor.query("SET timezone = 'America/New_York'");
    try {
      expect((await read()).filter(([tenant]) => tenant === 'leap').map(([, month]) => month)).toEqual(['2024-03']);
    } finally {
      await auditor.query('RESET timezone');
      await db.pool.query("SELECT medzen.set_test_clock('2026-11-22T12:00:00Z')");
    }
  });

  test('finds the months by their ids, asked for once a query', async () => {
    const { rows } = await auditor.query(
      'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT * FROM medzen.monthly_phi_access',
    );
    const plan = rows.map((row) => String(row['QUERY PLAN'])).join('\n');
    expect(plan).toMatch(/id >= /);
    expect(plan).not.toMatch(/Filter:.*uuid_floor/); // once a query, not once a row
  });
});

describe('recordings_pending_deletion', () => {
  const add = async (
    session: string,
    state: string,
    columns: Readonly<Record<string, string | number>>,
  ): Promise<void> => {
    const row: Record<string, unknown> = {
      tenant: 'clinic',
      id: randomUUID(),
      session_id: session,
      patient: 'p1',
      provider: 'twilio',
      provider_ref: session,
      state,
      state_at: '2026-01-01',
      started_at: '2019-01-01',
      object_prefix: 'x',
      jurisdiction: 'US-GA',
      provider_class: 'psychologist',
      zone: 'UTC',
      rules_version: '1',
      facts_revision: 0,
      decided_at: '2026-01-01',
      rule_ids: ['us-ga-psychologist'],
      retain_until: '2026-10-01',
      grace_until: '2026-12-30',
      ...columns,
    };
    const names = Object.keys(row);
    await db.pool.query(
      `INSERT INTO medzen.recording (${names.join(', ')}) VALUES (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
      Object.values(row),
    );
  };

  test('says what is past its retention, by which rules, and what stands in the way', async () => {
    await db.pool.query(
      "INSERT INTO medzen.retention_subject (tenant, patient) VALUES ('clinic', 'p1'), ('clinic', 'p2')",
    );
    await add('grace', 'archived', {});
    await add('due', 'archived', { grace_until: '2026-11-01', deletable_at: '2026-11-01' });
    await add('late', 'archived', { grace_until: '2026-11-01', deletable_at: '2026-12-15' });
    await add('unwarned', 'archived', { grace_until: '2026-11-01' });
    await add('held', 'archived', { hold_count: 1, patient: 'p2', grace_until: '2026-11-01' });
    await add('stale', 'available', { subject_revision: 1 });
    await add('going', 'deleting', { grace_until: '2026-11-01', deletion: '{"from": "archived"}' });
    await add('asked', 'archived', { request_count: 1, grace_until: '2026-11-01', deletable_at: '2026-11-01' });
    await add('kept', 'available', { retain_until: '2033-01-01', grace_until: '2033-04-01' });
    await add('running', 'recording', {});
    await db.pool.query(`
      INSERT INTO medzen.legal_hold (tenant, id, patient, matter, reason, placed_by, placed_at, released_by, released_at)
      VALUES ('clinic', 'h1', 'p2', 'Doe v. Clinic', 'x', 'x', '2026-01-01', NULL, NULL),
        ('clinic', 'h2', 'p2', 'over', 'x', 'x', '2026-01-01', 'x', '2026-02-01')`);
    const { rows } = await auditor.query({
      text: `SELECT session_id, status, format_instant, rule_ids, hold_matters FROM (
          SELECT *, to_char(deletable_from AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS format_instant FROM medzen.recordings_pending_deletion) s
        ORDER BY 1`,
      rowMode: 'array',
    });
    const rules = ['us-ga-psychologist'];
    expect(rows).toEqual([
      ['asked', 'access requested', '2026-11-01', rules, []],
      ['due', 'due', '2026-11-01', rules, []],
      ['going', 'deleting', '2026-11-01', rules, []],
      ['grace', 'in grace', '2026-12-30', rules, []],
      ['held', 'held', '2026-11-01', rules, ['Doe v. Clinic']],
      ['late', 'in notice', '2026-12-15', rules, []],
      ['stale', 'to be decided again', '2026-12-30', rules, []],
      ['unwarned', 'to be warned of', '2026-11-01', rules, []],
    ]);
  });

  test('lets the auditor see when and why, and not where the media lies', async () => {
    for (const column of ['object', 'media', 'object_prefix', 'provider_ref', '*'])
      await expect(auditor.query(`SELECT ${column} FROM medzen.recording`), column).rejects.toMatchObject({
        code: '42501',
      });
  });
});

describe('permit_select', () => {
  test('lets a role of the host read what is noted, even one that comes later, and people never', async () => {
    const role = `reader_${randomUUID().slice(0, 8)}`;
    await db.pool.query(
      `SELECT medzen.permit_select('${role}', 'retention_warning'); SELECT medzen.apply_permissions()`,
    );
    await db.pool.query(`CREATE ROLE ${role} NOLOGIN`);
    try {
      const pool = db.open({ options: `-c role=${role}`, max: 1 });
      await expect(pool.query('SELECT FROM medzen.retention_warning')).rejects.toMatchObject({ code: '42501' });
      await db.pool.query('SELECT medzen.apply_permissions(), medzen.apply_permissions()');
      await pool.query('SELECT FROM medzen.retention_warning');
      await expect(pool.query('SELECT FROM medzen.retention_fact')).rejects.toMatchObject({ code: '42501' });
    } finally {
      await db.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
    for (const person of ['anon', 'authenticated', 'public'])
      await expect(db.pool.query(`SELECT medzen.permit_select('${person}', 'recording')`)).rejects.toMatchObject({
        code: 'MZ002',
      });
  });
});

describe('schedule_jobs', () => {
  // With pg_cron: scripts/pg-cron-check.ts, on the Postgres that Debian has it for.
  test('says how to run the jobs where there is no pg_cron, and each command runs', async () => {
    for (const name of ['schedule_jobs', 'unschedule_jobs'])
      await expect(db.pool.query(`SELECT * FROM medzen.${name}()`)).rejects.toMatchObject({
        code: 'MZ002',
        message: expect.stringContaining('SELECT schedule, command FROM medzen.job WHERE enabled'),
      });
    const { rows } = await db.pool.query('SELECT command FROM medzen.job ORDER BY name');
    expect(rows.length).toBeGreaterThanOrEqual(2);
    for (const { command } of rows) await db.pool.query(String(command));
  });
});
