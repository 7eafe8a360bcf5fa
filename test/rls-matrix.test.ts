import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from './postgres.ts';
import { fillTables } from './rls-matrix.fixture.ts';

/** Who asks: a role of the database, and what the verified token says. */
interface Asker {
  readonly role: string;
  readonly claims?: Readonly<Record<string, string>>;
}

const askers: Readonly<Record<string, Asker>> = {
  anonymous: { role: 'anon' },
  'token without a subject': { role: 'authenticated', claims: { role: 'authenticated' } },
  patient: { role: 'authenticated', claims: { sub: 'p1' } },
  'provider in the call': { role: 'authenticated', claims: { sub: 'd1' } },
  'provider out of the call': { role: 'authenticated', claims: { sub: 'd3' } },
  'patient in the other tenant': { role: 'authenticated', claims: { sub: 'p1', tenant: 'other' } },
  auditor: { role: 'authenticated', claims: { sub: 'x1', app_role: 'auditor' } },
  'system admin': { role: 'authenticated', claims: { sub: 'x2', app_role: 'admin' } },
  'role medzen_app': { role: 'medzen_app' },
  'role medzen_sequencer': { role: 'medzen_sequencer' },
  'role medzen_auditor': { role: 'medzen_auditor' },
};
const people: readonly string[] = Object.keys(askers).filter((name) => !name.startsWith('role '));

/** Whose rows row security shows: one kind for all tables that are alike. Whoever is not named sees nothing. */
const kinds: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ofTheCall: {
    patient: 'a',
    'provider in the call': 'a',
    'patient in the other tenant': 'c',
    'system admin': 'a b',
  },
  ofTheCallTwice: {
    patient: 'a a',
    'provider in the call': 'a a',
    'patient in the other tenant': 'c c',
    'system admin': 'a a b b',
  },
  consents: {
    patient: 'a:p1',
    'provider in the call': 'a:d1',
    'patient in the other tenant': 'c:p1',
    'system admin': 'a:d1 a:p1 b:d2 b:p2',
  },
  admins: { 'system admin': 'a b' },
  log: { auditor: 'a b', 'system admin': 'a b' },
  tree: { auditor: '*', 'system admin': '*' },
  nobody: {},
};

const byPatient = "CASE WHEN tenant = 'other' THEN 'c' WHEN patient = 'p1' THEN 'a' ELSE 'b' END";
const byEvent = 'right(event_id::text, 1)';
const byRecording = 'right(recording_id::text, 1)';

/** Every table and view: which call a row is about, whose rows people see who were granted it, and what medzen_auditor sees. */
const expected: Readonly<Record<string, { label: string; kind: keyof typeof kinds; auditorRole?: string }>> = {
  access_request: { label: byRecording, kind: 'admins' },
  archive_manifest: { label: "'*'", kind: 'tree', auditorRole: '*' },
  audit_checkpoint: { label: "'*'", kind: 'tree', auditorRole: '*' },
  audit_cosignature: { label: "'*'", kind: 'tree', auditorRole: '*' },
  audit_event: { label: byPatient, kind: 'log', auditorRole: 'a b c' },
  audit_event_default: { label: byPatient, kind: 'nobody' },
  audit_event_month: { label: byPatient, kind: 'nobody' },
  audit_head: { label: "'*'", kind: 'tree', auditorRole: '*' },
  audit_leaf: { label: byEvent, kind: 'log', auditorRole: 'a b c' },
  audit_pending: { label: byEvent, kind: 'nobody', auditorRole: 'a b c' },
  audit_rows: { label: byEvent, kind: 'log', auditorRole: 'a b c' },
  audit_tile: { label: "'*'", kind: 'tree', auditorRole: '*' },
  consent: { label: "session_id || ':' || participant", kind: 'consents' },
  consent_session: { label: 'session_id', kind: 'admins' },
  erasable_identity: { label: 'right(pseudonym, 1)', kind: 'nobody' },
  erasable_kind: { label: "'*'", kind: 'nobody' },
  directory: { label: "'*'", kind: 'nobody', auditorRole: '' },
  job: { label: "'*'", kind: 'nobody' },
  legal_hold: { label: 'id', kind: 'admins', auditorRole: 'a b c' },
  migration: { label: "'*'", kind: 'nobody' },
  monthly_phi_access: {
    label: "CASE WHEN tenant = 'other' THEN 'c' WHEN actor = 'd1' THEN 'a' ELSE 'b' END",
    kind: 'log',
    auditorRole: 'a b c',
  },
  permission: { label: "'*'", kind: 'nobody' },
  postponed: { label: byRecording, kind: 'admins' },
  rate_limit: { label: 'key', kind: 'nobody' },
  recording: { label: 'session_id', kind: 'ofTheCall', auditorRole: 'a b c' },
  recording_participant: { label: byRecording, kind: 'ofTheCallTwice' },
  recordings_pending_deletion: { label: 'session_id', kind: 'ofTheCall', auditorRole: 'a b c' },
  removed_version: { label: byRecording, kind: 'admins' },
  retention_fact: { label: byPatient, kind: 'admins' },
  retention_subject: { label: byPatient, kind: 'admins' },
  retention_warning: { label: byRecording, kind: 'admins' },
  review: { label: byPatient, kind: 'log', auditorRole: 'a b c' },
  select_permission: { label: "'*'", kind: 'nobody' },
  tail_cursor: { label: "'*'", kind: 'tree', auditorRole: '*' },
  webhook_seen: { label: byRecording, kind: 'nobody' },
};

const operations = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] as const;
type Operation = (typeof operations)[number];
/** What came of it: `refused`, the labels of the rows that were seen, or how many were written. */
type Matrix = Readonly<Record<string, Readonly<Record<string, Readonly<Record<Operation, string>>>>>>;

let db: FreshDatabase;
let owner: pg.Client;
/** Name of a relation to that of its kind: the partitions of months have the day's names. */
let relations: ReadonlyMap<
  string,
  { readonly kind: string; readonly view: boolean; readonly columns: readonly string[] }
>;

beforeAll(async () => {
  db = await freshDatabase({});
  owner = await db.connect();
  await fillTables(owner);
  const { rows } = await owner.query(`
    SELECT c.relname AS name, c.relkind = 'v' AS view, (
      SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
    FROM pg_class c WHERE c.relnamespace IN ('medzen'::regnamespace, 'medzen_api'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY c.relname COLLATE "C"`);
  relations = new Map(
    rows.map(({ name, view, columns }) => [
      String(name),
      { kind: String(name).replace(/_\d{4}_\d\d$/, '_month'), view: view === true, columns: columns as string[] },
    ]),
  );
}, 120_000);
afterAll(() => db.drop());

/** Codes that mean: this may not be done. By right, by row security, by a trigger, by a foreign key; or a view that cannot be written. */
const refusals: ReadonlySet<string> = new Set(['42501', 'MZ004', '0A000', '55000']);

/** Tries everything as everybody, each in a transaction that is rolled back. */
async function tryAll(): Promise<Matrix> {
  const matrix: Record<string, Record<string, Record<Operation, string>>> = {};
  const samples = new Map<string, string>();
  for (const [table, { columns }] of relations) {
    // Not jsonb_build_object: it takes fifty columns at most.
    const { rows } = await owner.query(
      `SELECT (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(to_jsonb(t)) e WHERE e.key = ANY ($1))::text AS row
        FROM medzen.${table} t LIMIT 1`,
      [columns],
    );
    samples.set(table, String(rows[0]?.row ?? '{}'));
  }
  for (const [name, { role, claims }] of Object.entries(askers)) {
    const client = await db.connect();
    const attempt = async (text: string, values: readonly string[] = []): Promise<string> => {
      await client.query('BEGIN');
      try {
        await client.query(`SELECT set_config('request.jwt.claims', $1, true)`, [claims ? JSON.stringify(claims) : '']);
        await client.query(`SET LOCAL ROLE ${role}`);
        const { rows, rowCount } = await client.query({ text, values: [...values] });
        return rows[0]?.seen === undefined ? `${rowCount} rows` : String(rows[0]?.seen);
      } catch (error) {
        const { code } = error as { code?: string }; // an error of pg's
        return code !== undefined && refusals.has(code) ? 'refused' : `failed: ${(error as Error).message}`;
      } finally {
        await client.query('ROLLBACK');
      }
    };
    for (const [table, { kind, columns, view }] of relations) {
      const label = expected[kind]?.label ?? "'?'";
      const [first] = columns;
      const list = columns.join(', ');
      const seen = await attempt(
        `SELECT coalesce(string_agg(DISTINCT l, ' ' ORDER BY l), '') AS seen
         FROM (SELECT ${label} AS l FROM medzen.${table}) s`.replace(
          'DISTINCT l',
          label === "'*'" ? 'DISTINCT l' : 'l',
        ),
      );
      const done: Record<Operation, string> = {
        SELECT: seen,
        INSERT: await attempt(
          `INSERT INTO medzen.${table} (${list}) SELECT ${list} FROM jsonb_populate_record(NULL::medzen.${table}, $1::jsonb)`,
          [samples.get(table) ?? '{}'],
        ),
        UPDATE: await attempt(`UPDATE medzen.${table} SET ${first} = ${first}`),
        DELETE: await attempt(`DELETE FROM medzen.${table}`),
        TRUNCATE: view ? 'refused' : await attempt(`TRUNCATE medzen.${table}`),
      };
      const known = matrix[kind]?.[name];
      if (known !== undefined) expect(done, `${table}, like the other months, for ${name}`).toEqual(known);
      matrix[kind] = { ...matrix[kind], [name]: done };
    }
    await client.end();
  }
  return matrix;
}

/** The rows of all tables, as one text. */
async function contents(): Promise<string> {
  const parts: string[] = [];
  for (const [table, { view }] of relations) {
    if (view) continue;
    const { rows } = await owner.query(
      `SELECT md5(string_agg(t::text, ';' ORDER BY t::text)) AS sum FROM medzen.${table} t`,
    );
    parts.push(`${table} ${rows[0]?.sum}`);
  }
  return parts.join('\n');
}

const none: Readonly<Record<Operation, string>> = {
  SELECT: 'refused',
  INSERT: 'refused',
  UPDATE: 'refused',
  DELETE: 'refused',
  TRUNCATE: 'refused',
};

/** A table in Markdown: relations down, askers across. */
function table(
  matrix: Matrix,
  cell: (of: Readonly<Record<Operation, string>>) => string,
  columns: readonly string[],
): string {
  const names = Object.keys(matrix).sort();
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(['', ...columns]),
    line(['---', ...columns.map(() => '---')]),
    ...names.map((name) => line([`\`${name}\``, ...columns.map((column) => cell(matrix[name]?.[column] ?? none))])),
  ].join('\n');
}

describe('role × table × operation', () => {
  let installed: Matrix;
  let careless: Matrix;

  test('has an expectation for every table and view of the schema', () => {
    expect([...new Set([...relations.values()].map(({ kind }) => kind))].sort()).toEqual(Object.keys(expected).sort());
  });

  test('as installed: nobody writes, and only medzen_auditor reads the log and what is about to be deleted', async () => {
    // A right that row security happens to make useless is still one too many.
    const { rows } = await owner.query(`
      SELECT DISTINCT r.rolname AS role, a.privilege_type AS privilege
      FROM pg_class c LEFT JOIN pg_attribute t ON t.attrelid = c.oid, LATERAL (
        SELECT * FROM aclexplode(c.relacl) UNION ALL SELECT * FROM aclexplode(t.attacl)) a LEFT JOIN pg_roles r ON r.oid = a.grantee
      WHERE c.relnamespace = 'medzen'::regnamespace AND c.relkind <> 'S' AND a.grantee <> c.relowner`);
    expect(rows).toEqual([{ role: 'medzen_auditor', privilege: 'SELECT' }]);
    installed = await tryAll();
    for (const [name, { auditorRole }] of Object.entries(expected))
      for (const asker of Object.keys(askers))
        expect(installed[name]?.[asker], `${name}, ${asker}`).toEqual({
          ...none,
          SELECT: asker === 'role medzen_auditor' && auditorRole !== undefined ? auditorRole : 'refused',
        });
  }, 120_000);

  test('with all rights on tables alone, what a policy guards is refused: its functions are shut', async () => {
    const client = await db.connect();
    await client.query(`BEGIN; GRANT USAGE ON SCHEMA medzen TO anon, authenticated;
      GRANT ALL ON ALL TABLES IN SCHEMA medzen TO anon, authenticated`);
    for (const role of ['anon', 'authenticated'])
      for (const name of ['recording', 'recording_participant', 'consent', 'audit_event', 'legal_hold']) {
        await client.query(`SAVEPOINT s; SET LOCAL ROLE ${role}; SET LOCAL request.jwt.claims = '{"sub":"p1"}'`);
        await expect(client.query(`SELECT FROM medzen.${name}`)).rejects.toMatchObject({ code: '42501' });
        await client.query('ROLLBACK TO s');
      }
    await client.query('ROLLBACK');
  });

  test('when a host has granted everything to people: each sees what is theirs, and nobody changes a row', async () => {
    await owner.query(`GRANT USAGE ON SCHEMA medzen TO anon, authenticated;
      GRANT ALL ON ALL TABLES IN SCHEMA medzen TO anon, authenticated;
      GRANT ALL ON ALL ROUTINES IN SCHEMA medzen TO anon, authenticated`);
    const before = await contents();
    careless = await tryAll();
    expect(await contents()).toBe(before);
    for (const [name, { kind }] of Object.entries(expected))
      for (const asker of people) {
        const { SELECT, UPDATE, DELETE, ...rest } = careless[name]?.[asker] ?? none;
        expect(SELECT, `SELECT ${name}, ${asker}`).toBe(kinds[kind]?.[asker] ?? '');
        expect(rest, `${name}, ${asker}`).toEqual({ INSERT: 'refused', TRUNCATE: 'refused' });
        expect(['refused', '0 rows'], `UPDATE ${name}, ${asker}`).toContain(UPDATE);
        expect(['refused', '0 rows'], `DELETE ${name}, ${asker}`).toContain(DELETE);
      }
  }, 120_000);

  test('and this is what packages/sql/ACCESS.md says', async () => {
    const reads = ({ SELECT }: Readonly<Record<Operation, string>>): string =>
      SELECT === 'refused' ? '–' : SELECT === '' ? 'none' : SELECT;
    const writes = Object.fromEntries(
      Object.entries(careless).map(([name, by]) => [
        name,
        // The same for all people, as the case above has seen to.
        Object.fromEntries(
          operations.map((operation) => [operation, { ...none, ...by.patient, SELECT: by.patient?.[operation] ?? '' }]),
        ),
      ]),
    );
    const text = `# Who may do what to which table

Written by test/rls-matrix.test.ts (\`vitest run test/rls-matrix.test.ts -u\`) from what a real server answered; do not
edit.

The rows are about three calls: \`a\` and \`b\` of one tenant, \`c\` of another. Patient p1 and provider d1 take part in \`a\`,
and under the same subjects in \`c\`. – is refused by right, *none* runs and shows no row, \`*\` is what belongs to no call.
\`audit_event_month\` is each month's partition. People read through functions of \`medzen_api\`, services through those of
\`medzen\`, which \`medzen.permission\` lists.

## Reading, as installed

INSERT, UPDATE, DELETE and TRUNCATE are refused to all of them, on every table.

${table(installed, reads, Object.keys(askers))}

## Reading, after a host has granted everything to \`anon\` and \`authenticated\`

All rights on all tables, and on all functions: then row security alone decides.

${table(careless, reads, people)}

## Writing, after the same

The same for all people. *0 rows*: the statement runs and finds nothing that it may touch.

${table(writes, reads, operations.slice(1))}
`;
    await expect(text).toMatchFileSnapshot('../packages/sql/ACCESS.md');
  });

  test('a host whose functions say yes to everybody shows nothing to a token without a subject', async () => {
    const client = await db.connect();
    await client.query(`BEGIN;
      CREATE OR REPLACE FUNCTION medzen.is_auditor() RETURNS boolean LANGUAGE sql AS 'SELECT true';
      CREATE OR REPLACE FUNCTION medzen.is_system_admin() RETURNS boolean LANGUAGE sql AS 'SELECT true';
      SET LOCAL ROLE authenticated`);
    for (const claims of ['', '{}', '{"sub":""}', '{"sub":null}', 'no json'])
      for (const name of relations.keys()) {
        await client.query("SELECT set_config('request.jwt.claims', $1, true)", [claims]);
        const { rows } = await client.query(`SELECT count(*)::int AS n FROM medzen.${name}`);
        expect(rows, `${name} with claims ${claims}`).toEqual([{ n: 0 }]);
      }
    await client.query('ROLLBACK');
  });

  test("looks a person's rows up in an index, among those of everybody", async () => {
    const client = await db.connect();
    await client.query(`BEGIN;
      INSERT INTO medzen.retention_subject (tenant, patient) VALUES ('default', 'p9');
      INSERT INTO medzen.consent_session (tenant, session_id) VALUES ('default', 'z');
      INSERT INTO medzen.recording (tenant, id, session_id, patient, provider, provider_ref, state, state_at, started_at, object_prefix,
        jurisdiction, provider_class, zone)
      SELECT 'default', gen_random_uuid(), 'z' || n, 'p9', 'twilio', 'z' || n, 'available', now(), now(), 'x', 'US-GA', 'x', 'UTC'
      FROM generate_series(1, 5000) n;
      INSERT INTO medzen.recording_participant
      SELECT tenant, id, 'p9', started_at, 1, 'patient' FROM medzen.recording WHERE patient = 'p9';
      INSERT INTO medzen.consent SELECT 'default', gen_random_uuid(), 'z', n, 'p9', 'given', true, true, true, true, '1',
        repeat('0', 64), 'en', 'click', NULL, NULL, NULL, now() FROM generate_series(1, 5000) n;
      ANALYZE medzen.recording, medzen.recording_participant, medzen.consent;
      SET LOCAL ROLE authenticated; SET LOCAL request.jwt.claims = '{"sub":"p1"}'`);
    for (const [name, column, order] of [
      ['recording', 'id', 'started_at'],
      ['recording_participant', 'recording_id', 'started_at'],
      ['consent', 'id', 'at'],
    ]) {
      const { rows } = await client.query(
        `EXPLAIN (COSTS OFF) SELECT * FROM medzen.${name} ORDER BY ${order} DESC LIMIT 20`,
      );
      const plan = rows.map((row) => String(row['QUERY PLAN'])).join('\n');
      expect(plan).toMatch(new RegExp(`Index Cond: \\(\\(tenant = .*\\) AND \\(${column} = ANY`));
      expect(plan).not.toMatch(/Filter|Seq Scan/);
    }
    await client.query('ROLLBACK');
  });
});
