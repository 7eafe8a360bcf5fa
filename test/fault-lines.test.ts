import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from './postgres.ts';
import { fillTables } from './rls-matrix.fixture.ts';
import { createSupabaseRoles } from './supabase-roles.ts';

/**
 * What goes wrong in schemas that hosts have today, each shown first on a small table built as they build it, and then on ours.
 * What can be read from the catalog of all tables and functions is in fault-lines-catalog.test.ts.
 */

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase({ install: false });
  await createSupabaseRoles(db.url);
  await db.drop();
  db = await freshDatabase();
  await fillTables(await db.connect());
  // As on Supabase: the subject as a UUID, and people with all rights on the tables of public, kept apart by row security.
  await db.pool.query(`CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO anon, authenticated;
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
      SELECT nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid $$;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated`);
});
afterAll(() => db.drop());

/** Runs a statement as a role that PostgREST takes on, with these claims, and takes it back. */
async function as(role: string, claims: object | undefined, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = await db.pool.connect();
  try {
    await client.query(`BEGIN; SET LOCAL ROLE ${role}`);
    if (claims !== undefined)
      await client.query(`SELECT set_config('request.jwt.claims', $1, true)`, [JSON.stringify(claims)]);
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

const asOwner = async (sql: string): Promise<readonly Record<string, unknown>[]> =>
  (await db.pool.query<Record<string, unknown>>(sql)).rows;
const newest = (): Promise<readonly Record<string, unknown>[]> =>
  asOwner(`SELECT actor, patient, action, target_id FROM medzen.audit_event ORDER BY xid DESC, id DESC LIMIT 1`);
const refused = { code: '42501' };

describe('an INSERT policy', () => {
  beforeAll(async () => {
    await asOwner(
      'CREATE TABLE public.message (id int, sender text); ALTER TABLE public.message ENABLE ROW LEVEL SECURITY',
    );
  });

  test('with USING, which reads like the others, is no SQL; what is then written lets anybody write in any name', async () => {
    const own = `(sender = current_setting('request.jwt.claims', true)::jsonb ->> 'sub')`;
    await expect(asOwner(`CREATE POLICY own ON public.message FOR INSERT USING ${own}`)).rejects.toMatchObject({
      code: '42601',
    });
    await asOwner('CREATE POLICY own ON public.message FOR INSERT WITH CHECK (true)');
    await as('authenticated', { sub: 'mallory' }, `INSERT INTO public.message VALUES (1, 'doctor')`);
  });

  test('does not exist here: nobody inserts but through functions, even with a grant', async () => {
    await asOwner(
      'GRANT USAGE ON SCHEMA medzen TO authenticated; GRANT ALL ON medzen.consent_session TO authenticated',
    );
    const insert = `INSERT INTO medzen.consent_session (tenant, session_id, records) VALUES ('default', 's', 0)`;
    await expect(as('authenticated', { sub: 'mallory' }, insert)).rejects.toMatchObject(refused);
    await asOwner('SELECT medzen.apply_permissions()');
  });
});

describe('a subject that is no UUID', () => {
  const claims = { sub: 'kZ3vQm0cWnYfX8aB1dE5gH7iJ9k2' };

  test('breaks every query on a table whose policy asks auth.uid()', async () => {
    await asOwner(`CREATE TABLE public.chart (id int, owner uuid); ALTER TABLE public.chart ENABLE ROW LEVEL SECURITY;
      CREATE POLICY own ON public.chart USING (owner = auth.uid()); INSERT INTO public.chart VALUES (1)`);
    await expect(as('authenticated', claims, 'SELECT * FROM public.chart')).rejects.toMatchObject({ code: '22P02' });
  });

  test('is a subject here, for policies, for what people call, and in events', async () => {
    const [row] = await as('authenticated', claims, `SELECT medzen_api.list_my_recordings(p_limit => 5) AS listed`);
    expect(row?.listed).toEqual({ status: 'ok', recordings: [] });
    await asOwner(
      `CREATE TABLE public.vitals (id int PRIMARY KEY, patient text); SELECT medzen.audit_table('public.vitals', 'patient')`,
    );
    const client = await db.connect();
    await client.query(`BEGIN; SET LOCAL ROLE authenticated; SET LOCAL request.jwt.claims = '${JSON.stringify(claims)}';
      INSERT INTO public.vitals VALUES (1, 'p1'); COMMIT`);
    expect(await newest()).toMatchObject([{ actor: claims.sub, patient: 'p1' }]);
  });
});

describe('a trigger for all operations', () => {
  test('that takes NEW records a deletion of nobody, or stops it', async () => {
    await asOwner(`CREATE TABLE public.note (id int PRIMARY KEY, patient text); CREATE TABLE public.note_log (op text, patient text);
      CREATE FUNCTION public.log_note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.note_log VALUES (TG_OP, NEW.patient); RETURN NEW; END $$;
      CREATE TRIGGER log_note AFTER INSERT OR UPDATE OR DELETE ON public.note FOR EACH ROW EXECUTE FUNCTION public.log_note();
      INSERT INTO public.note VALUES (1, 'p1'), (2, 'p2'); DELETE FROM public.note WHERE id = 1`);
    expect(await asOwner(`SELECT patient FROM public.note_log WHERE op = 'DELETE'`)).toEqual([{ patient: null }]);
    await asOwner(
      'DELETE FROM public.note_log WHERE patient IS NULL; ALTER TABLE public.note_log ALTER patient SET NOT NULL',
    );
    await expect(asOwner('DELETE FROM public.note')).rejects.toMatchObject({ code: '23502' });
  });

  test('of audit_table says whose row it was', async () => {
    await asOwner(`DROP TRIGGER log_note ON public.note; SELECT medzen.audit_table('public.note', 'patient')`);
    await asOwner('DELETE FROM public.note WHERE id = 2');
    expect(await newest()).toMatchObject([{ patient: 'p2', action: 'table.delete', target_id: '2' }]);
  });
});

describe('a user who is deleted', () => {
  test('takes along the log that references the user', async () => {
    await asOwner(`CREATE TABLE public.person (id int PRIMARY KEY, name text);
      CREATE TABLE public.access_log (person int REFERENCES public.person ON DELETE CASCADE, what text);
      INSERT INTO public.person VALUES (1, 'a'), (2, 'b'); INSERT INTO public.access_log VALUES (1, 'read chart');
      DELETE FROM public.person WHERE id = 1`);
    expect(await asOwner('SELECT * FROM public.access_log')).toEqual([]);
  });

  test('leaves every event behind, the one of the deletion too', async () => {
    await asOwner(`SELECT medzen.audit_table('public.person', 'id')`);
    await asOwner(
      `SET medzen.actor = '2'; UPDATE public.person SET name = 'c' WHERE id = 2; DELETE FROM public.person WHERE id = 2; RESET medzen.actor`,
    );
    const events = await asOwner(`SELECT actor, action FROM medzen.audit_event WHERE patient = '2' ORDER BY at, id`);
    expect(events.map(({ action }) => action).sort()).toEqual(['table.delete', 'table.write']);
  });
});

describe('a view', () => {
  test('shows what row security hides, as it reads with the rights of its owner', async () => {
    await asOwner(`CREATE TABLE public.diagnosis (patient text, code text); ALTER TABLE public.diagnosis ENABLE ROW LEVEL SECURITY;
      INSERT INTO public.diagnosis VALUES ('p1', 'F32'); CREATE VIEW public.diagnosis_list AS SELECT * FROM public.diagnosis`);
    expect(await as('anon', undefined, 'SELECT * FROM public.diagnosis')).toEqual([]);
    expect(await as('anon', undefined, 'SELECT * FROM public.diagnosis_list')).toHaveLength(1);
  });

  test.each(['monthly_phi_access', 'recordings_pending_deletion'])(
    'of ours, %s, shows its reader nothing more than the tables do',
    async (view) => {
      expect((await asOwner(`SELECT * FROM medzen.${view}`)).length).toBeGreaterThan(0);
      await expect(as('authenticated', { sub: 'u1' }, `SELECT * FROM medzen.${view}`)).rejects.toMatchObject(refused);
      // Granted all the same, by somebody who means well.
      await asOwner(`GRANT USAGE ON SCHEMA medzen TO authenticated; GRANT SELECT ON ALL TABLES IN SCHEMA medzen TO authenticated;
      GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA medzen TO authenticated`);
      expect(await as('authenticated', { sub: 'u1' }, `SELECT * FROM medzen.${view}`)).toEqual([]);
      expect(await as('authenticated', undefined, `SELECT * FROM medzen.${view}`)).toEqual([]);
      await asOwner('SELECT medzen.apply_permissions()');
    },
  );
});

describe('a time of the last change', () => {
  test('that is an ordinary column says what the caller likes', async () => {
    await asOwner(
      'CREATE TABLE public.plan (id int, text text, updated_at timestamptz DEFAULT now()); INSERT INTO public.plan VALUES (1)',
    );
    await as('authenticated', { sub: 'm' }, `UPDATE public.plan SET text = 'other', updated_at = '2001-01-01'`);
    const [row] = await as(
      'authenticated',
      { sub: 'm' },
      `UPDATE public.plan SET updated_at = '2001-01-01' RETURNING updated_at::date::text AS at`,
    );
    expect(row).toEqual({ at: '2001-01-01' });
  });

  test('is the database’s here: an event that claims another time is written down with the true one and its transaction', async () => {
    const id = '00dc6ace-0000-7000-8000-000000000001';
    const body = `{"action":"a.b","actor":{"id":"m","type":"user"},"at":"2001-01-01T00:00:00.000Z","id":"${id}","kind":"read","nonce":"${'0'.repeat(32)}","outcome":"success","source":{},"tenant":"default","v":1,"written_at":"2001-01-01T00:00:00.000Z","xid":"1"}`;
    const client = await db.connect();
    await client.query('BEGIN; SET LOCAL ROLE medzen_app');
    await client.query(`SELECT medzen.append_events('default', ARRAY[$1], $2)`, [id, body]);
    await client.query('RESET ROLE');
    const { rows } = await client.query(
      `SELECT e.written_at > now() - interval '1 minute' AS timely, e.xid = pg_current_xact_id() AS own,
        q.xid = e.xid AND q.written_at = e.written_at AS queued
      FROM medzen.audit_event e JOIN medzen.audit_pending q ON q.event_id = e.id WHERE e.id = $1`,
      [id],
    );
    expect(rows).toEqual([{ timely: true, own: true, queued: true }]);
    await client.query('ROLLBACK');
  });

  test.each(['written_at', 'xid'])('has no way in: %s of an event is set and changed by nobody', async (column) => {
    const statements = [
      `UPDATE medzen.audit_event SET ${column} = DEFAULT`,
      `INSERT INTO medzen.audit_event (id, ${column}) VALUES (gen_random_uuid(), DEFAULT)`,
    ];
    for (const role of ['anon', 'authenticated', 'service_role', 'medzen_app', 'medzen_sequencer', 'medzen_auditor'])
      for (const statement of statements)
        await expect(as(role, { sub: 'm' }, statement), role).rejects.toMatchObject(refused);
    const { rows } = await db.pool.query(`SELECT f.proname FROM pg_proc f, unnest(f.proargnames) a (name)
      WHERE f.pronamespace::regnamespace::text IN ('medzen', 'medzen_api') AND a.name IN ('p_written_at', 'p_xid', 'p_seen_at')`);
    expect(rows).toEqual([]);
  });
});

describe('six years', () => {
  test('are enough for a job to delete the log that has to prove what was done', async () => {
    await asOwner(
      `CREATE TABLE public.audit_log (at timestamptz); INSERT INTO public.audit_log VALUES (now() - interval '7 years')`,
    );
    await asOwner(`DELETE FROM public.audit_log WHERE at < now() - interval '6 years'`);
    expect(await asOwner('SELECT FROM public.audit_log')).toEqual([]);
  });

  test('or seven change nothing here: no job removes an event, and no DELETE does', async () => {
    const id = '0176ae4e-0000-7000-8000-000000000001';
    await asOwner(`INSERT INTO medzen.audit_event (id, tenant, at, actor, action, outcome, stray, written_at, body)
      VALUES ('${id}', 'default', '2019-01-01', 'a', 'a.b', 'success', true, '2019-01-01', '')`);
    const jobs = await asOwner('SELECT command FROM medzen.job');
    expect(jobs.length).toBeGreaterThan(0);
    for (const { command } of jobs) await asOwner(String(command));
    const old = `medzen.audit_event WHERE at < now() - interval '6 years'`;
    await expect(asOwner(`DELETE FROM ${old}`)).rejects.toMatchObject({ code: 'MZ004' });
    await expect(asOwner('TRUNCATE medzen.audit_event')).rejects.toMatchObject({ code: 'MZ004' });
    expect(await asOwner(`SELECT FROM ${old}`)).toHaveLength(1);
  });
});
