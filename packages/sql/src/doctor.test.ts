import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type PostgresServer, startPostgres } from '../../../test/start-postgres.ts';
import { type HostProject, hostProject } from './cli/host-project.fixture.ts';
import { examineSql, type Finding } from './doctor.ts';
import { installSql } from './index.ts';
import { migrations } from './migrations.generated.ts';

/** Each trouble is made in a real database, is found, and is gone after the remedy that was printed. */

let db: FreshDatabase;
let host: HostProject;
const suffix = randomUUID().slice(0, 8);
const [service, reader] = [`service_${suffix}`, `reader_${suffix}`];

beforeAll(async () => {
  db = await freshDatabase();
  await db.pool.query(`CREATE ROLE ${service} LOGIN; CREATE ROLE ${reader} LOGIN`);
  host = hostProject();
});
afterAll(async () => {
  host.remove();
  await db.drop();
  const admin = await freshDatabase({ install: false });
  await admin.pool.query(`DROP ROLE ${service}; DROP ROLE ${reader}`);
  await admin.drop();
});

async function look(at: FreshDatabase = db, schema = 'medzen'): Promise<readonly Finding[]> {
  const client = await at.connect();
  const { findings, unexamined } = await examineSql(client, { schema });
  await client.end();
  expect(unexamined).toEqual([]);
  return findings.filter(({ severity }) => severity !== 'info');
}

/** Runs what was printed: SQL, or the command whose output goes to psql. */
async function cure({ remedy = '' }: Finding, at: FreshDatabase = db): Promise<void> {
  const command = /^npx medzen-sql (.*?) \| psql/.exec(remedy)?.[1];
  if (command !== undefined) expect(await host.run(...command.split(' '))).toBe(0);
  await at.pool.query(command === undefined ? remedy : host.said);
}

test('nothing is found in a fresh database, under any name, as its owner looks', async () => {
  expect(await look()).toEqual([]);
  const other = await freshDatabase({ install: false });
  await installSql(other.pool, { schema: 'clinic' });
  expect(await look(other, 'clinic')).toEqual([]);
  await other.drop();
});

/** Appends one event. */
const appending = (id: string): string => `
    SELECT medzen.append_events('default', ARRAY['${id}'], '{"v":1,"id":"${id}","tenant":"default","at":"2026-11-22T10:00:00.000Z","action":"a","kind":"read","outcome":"success","actor":{"id":"u","type":"user"},"source":{}}')`;

describe('what is broken is found, it alone, and its remedy cures it', () => {
  test.each<[id: string, object: string, sql: string]>([
    [
      'grant.public',
      'FUNCTION medzen.append_events(text, text[], text)',
      'GRANT EXECUTE ON FUNCTION medzen.append_events TO PUBLIC',
    ],
    ['grant.anon', 'TABLE medzen.recording', 'GRANT SELECT ON medzen.recording TO anon'],
    ['grant.anon', 'TABLE medzen.audit_event', 'GRANT SELECT (body) ON medzen.audit_event TO anon'],
    ['grant.authenticated', 'SCHEMA medzen', 'GRANT CREATE ON SCHEMA medzen TO authenticated'],
    [
      'grant.authenticated',
      'FUNCTION medzen.get_recording(text, uuid)',
      'GRANT EXECUTE ON FUNCTION medzen.get_recording TO authenticated',
    ],
    ['grant.extra', 'TABLE medzen.consent', `GRANT INSERT, DELETE ON medzen.consent TO ${service}`],
    [
      'grant.extra',
      'FUNCTION medzen.append_events(text, text[], text)',
      'GRANT EXECUTE ON FUNCTION medzen.append_events TO medzen_app WITH GRANT OPTION',
    ],
    [
      'grant.missing',
      'FUNCTION medzen.append_events(text, text[], text)',
      'REVOKE EXECUTE ON FUNCTION medzen.append_events FROM medzen_app',
    ],
    ['rule.present', 'medzen.consent.forget', 'CREATE RULE forget AS ON INSERT TO medzen.consent DO INSTEAD NOTHING'],
    ['rls.off', 'medzen.consent', 'ALTER TABLE medzen.consent DISABLE ROW LEVEL SECURITY'],
    [
      'trigger.disabled',
      'medzen.consent.consent_append_only',
      'ALTER TABLE medzen.consent DISABLE TRIGGER consent_append_only',
    ],
    [
      'drift.changed',
      'function medzen.write_event(text, text, bytea)',
      `CREATE OR REPLACE FUNCTION medzen.write_event(p_tenant text, p_event_id text, p_event_body bytea)
      RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN NULL; END $$`,
    ],
    [
      'drift.changed',
      'function medzen.list_consents(text, text)',
      'ALTER FUNCTION medzen.list_consents SECURITY INVOKER',
    ],
    [
      'drift.changed',
      'function medzen.format_instant(timestamp with time zone)',
      `CREATE OR REPLACE FUNCTION medzen.format_instant(p_at timestamptz)
      RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE RETURN 'then'`,
    ],
    ['drift.missing', 'trigger medzen.audit_event.refuse_change', 'DROP TRIGGER refuse_change ON medzen.audit_event'],
    ['drift.missing', 'function medzen.requeue_events()', 'DROP FUNCTION medzen.requeue_events()'],
    ['drift.missing', 'index medzen.audit_event.audit_event_actor', 'DROP INDEX medzen.audit_event_actor'],
    ['drift.extra', 'policy medzen.consent.everybody', 'CREATE POLICY everybody ON medzen.consent USING (true)'],
    [
      'drift.extra',
      'trigger medzen.consent.mine',
      'CREATE TRIGGER mine BEFORE INSERT ON medzen.consent FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    ],
    ['drift.extra', 'column medzen.consent.note', 'ALTER TABLE medzen.consent ADD COLUMN note text'],
    ['drift.extra', 'view medzen.peek', 'CREATE VIEW medzen.peek AS SELECT 1 AS one'],
    ['exposed.view', 'public.peek', 'CREATE VIEW public.peek AS SELECT id FROM medzen.recording'],
    ['owner.mixed', 'medzen.rate_limit', `ALTER TABLE medzen.rate_limit OWNER TO ${service}`],
    [
      'partition.missing',
      'medzen.audit_event',
      "DO $$ BEGIN EXECUTE format('DROP TABLE medzen.audit_event_%s', to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY_MM')); END $$",
    ],
    [
      'partition.unguarded',
      '',
      "DO $$ BEGIN EXECUTE format('DROP TRIGGER refuse_change ON medzen.audit_event_%s', to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')); END $$",
    ],
  ])('%s of %s', async (id, object, sql) => {
    const own = await freshDatabase();
    try {
      await own.pool.query(sql);
      const found = await look(own);
      expect(found.map((each) => each.id)).toEqual([id]);
      expect(found[0]?.object).toContain(object);
      if (found[0] !== undefined) await cure(found[0], own);
      expect(await look(own)).toEqual([]);
    } finally {
      await own.drop();
    }
  });

  test('events of a coming month in the default partition are moved out as they are', async () => {
    const own = await freshDatabase();
    const month = "to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')";
    await own.pool.query(`DO $$ BEGIN EXECUTE format('DROP TABLE medzen.audit_event_%s', ${month}); END $$`);
    const at = Date.now().toString(16).padStart(12, '0');
    const id = `${at.slice(0, 8)}-${at.slice(8)}-7000-8000-000000000001`;
    await own.pool.query(appending(id));
    const { rows: before } = await own.pool.query('SELECT to_jsonb(e) AS row FROM medzen.audit_event e');
    const found = await look(own);
    expect(found.map((each) => each.id)).toEqual(['partition.default']);
    if (found[0] !== undefined) await cure(found[0], own);
    expect(await look(own)).toEqual([]);
    const { rows: after } = await own.pool.query('SELECT to_jsonb(e) AS row FROM medzen.audit_event e');
    expect(after).toEqual(before);
    await expect(own.pool.query('TRUNCATE medzen.audit_event_default')).rejects.toMatchObject({ code: 'MZ004' });
    await expect(own.pool.query('DELETE FROM medzen.audit_event')).rejects.toMatchObject({ code: 'MZ004' });
    await own.drop();
  });

  test('the clock for tests is taken out', async () => {
    const own = await freshDatabase({ test: true });
    const found = await look(own);
    expect(found.map(({ id, severity }) => [id, severity])).toEqual([['clock.test', 'critical']]);
    if (found[0] !== undefined) await cure(found[0], own);
    expect(await look(own)).toEqual([]);
    await own.drop();
  });

  test('a sequencer that does not run, and events that are gone, are told apart', async () => {
    const own = await freshDatabase();
    const at = Date.now().toString(16).padStart(12, '0');
    await own.pool.query(appending(`${at.slice(0, 8)}-${at.slice(8)}-7000-8000-000000000002`));
    expect(await look(own)).toEqual([]);
    await own.pool.query("UPDATE medzen.audit_pending SET written_at = now() - interval '5 minutes'");
    expect((await look(own)).map(({ id, message }) => [id, message])).toEqual([
      ['log.lag', expect.stringMatching(/^1 events wait for the sequencer, the oldest for 3\d\d s$/)],
    ]);
    await own.pool.query(
      'ALTER TABLE medzen.audit_event DISABLE TRIGGER USER; DELETE FROM medzen.audit_event; ALTER TABLE medzen.audit_event ENABLE TRIGGER USER',
    );
    expect((await look(own)).map(({ id, severity }) => [id, severity])).toEqual([['log.lost', 'critical']]);
    await own.drop();
  });
});

describe('on a server of its own, whose roles nobody else uses,', () => {
  let server: PostgresServer;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startPostgres();
    client = new pg.Client(server.url);
    await client.connect();
    await client.query('CREATE ROLE authenticator LOGIN NOINHERIT; CREATE ROLE anon; CREATE ROLE serves LOGIN');
    await installSql(client);
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });
  test('an owner that may make no roles leaves that to an administrator, who is told what to run', async () => {
    const other = await startPostgres();
    const admin = new pg.Client(other.url);
    await admin.connect();
    try {
      await admin.query('CREATE ROLE plain NOLOGIN; GRANT CREATE ON DATABASE postgres TO plain; SET ROLE plain');
      await installSql(admin);
      const found = (await examineSql(admin)).findings.filter(({ severity }) => severity !== 'info');
      expect(found.map(({ id, object }) => [id, object])).toEqual(
        ['medzen_app', 'medzen_sequencer', 'medzen_auditor'].map((role) => ['role.missing', role]),
      );
      expect(await host.run('print', '--administrator')).toBe(0);
      await admin.query(`RESET ROLE; ${host.said}`);
      expect((await examineSql(admin)).findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    } finally {
      await admin.end();
      await other.stop();
    }
  });

  const ids = async (): Promise<string[]> => (await examineSql(client)).findings.map(({ id }) => id);

  test.each([
    ['role.power', 'ALTER ROLE medzen_auditor BYPASSRLS'],
    ['owner.serves', 'GRANT medzen_app TO serves; GRANT postgres TO serves'],
    ['role.people', 'GRANT medzen_auditor TO anon'],
    ['role.people', 'GRANT pg_read_all_data TO anon'],
    ['role.people', 'ALTER ROLE anon BYPASSRLS'],
    ['role.missing', 'DROP OWNED BY medzen_auditor; DROP ROLE medzen_auditor'],
  ])('%s is found, and cured', async (id, sql) => {
    const before = await ids();
    await client.query(sql);
    const { findings } = await examineSql(client);
    expect(findings.map((each) => each.id)).toEqual([id, ...before]);
    await client.query(findings[0]?.remedy ?? '');
    expect(await ids()).toEqual(before);
  });

  test('what PostgREST exposes is read from the settings of its role', async () => {
    expect(await ids()).toContain('exposed.unknown');
    await client.query("ALTER ROLE authenticator SET pgrst.db_schemas = 'public, medzen_api'");
    expect(await ids()).toEqual(['jobs.elsewhere']);
    await client.query("ALTER ROLE authenticator SET pgrst.db_schemas = 'public, medzen'");
    expect(await ids()).toContain('exposed.schema');
  });

  test('empty rate limits after a start are told, where the log has older events', async () => {
    const at = Date.now().toString(16).padStart(12, '0');
    await client.query(appending(`${at.slice(0, 8)}-${at.slice(8)}-7000-8000-000000000003`));
    expect(await ids()).not.toContain('limits.reset');
    await client.query(
      "ALTER TABLE medzen.audit_event DISABLE TRIGGER USER; UPDATE medzen.audit_event SET written_at = now() - interval '1 day'; ALTER TABLE medzen.audit_event ENABLE TRIGGER USER",
    );
    expect(await ids()).toContain('limits.reset');
    await client.query("INSERT INTO medzen.rate_limit VALUES ('default', 'k', 1)");
    expect(await ids()).not.toContain('limits.reset');
  });

  test('which identities the log keeps erasable is told', async () => {
    expect(await ids()).not.toContain('log.erasable');
    await client.query("SELECT medzen.keep_erasable('patient', 'ip')");
    expect(await ids()).toContain('log.erasable');
  });
});

describe('the ledger', () => {
  test('of a database that lacks a migration, has a changed or a newer one, or none at all', async () => {
    const own = await freshDatabase();
    const last = migrations.at(-1)?.id ?? '';
    await own.pool.query("INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('900000_later', 'x', true)");
    expect((await look(own)).map(({ id, object }) => [id, object])).toEqual([['ledger.newer', '900000_later']]);
    await own.pool.query("DELETE FROM medzen.migration WHERE id = '900000_later'");
    await own.pool.query(`UPDATE medzen.migration SET checksum = 'x' WHERE id = '${last}'`);
    expect((await look(own)).map(({ id, object }) => [id, object])).toEqual([['ledger.drifted', last]]);
    await own.pool.query(`DELETE FROM medzen.migration WHERE id = '${last}'`);
    expect((await look(own)).map(({ id, object }) => [id, object])).toEqual([['ledger.missing', last]]);
    await own.pool.query('DROP SCHEMA medzen CASCADE');
    expect((await look(own)).map(({ id }) => id)).toEqual(['schema.missing']);
    await own.drop();
  });
});

describe('what is no trouble', () => {
  test("the host's own identity functions and directory are named, and are no findings", async () => {
    const own = await freshDatabase();
    await own.pool.query(`CREATE OR REPLACE FUNCTION medzen.is_auditor() RETURNS boolean LANGUAGE sql STABLE
      SET search_path = pg_catalog, pg_temp AS $$ SELECT true $$`);
    const client = await own.connect();
    const { findings } = await examineSql(client);
    expect(findings.filter(({ id }) => id !== 'jobs.elsewhere' && id !== 'exposed.unknown')).toEqual([
      {
        id: 'replaced',
        severity: 'info',
        object: 'function medzen.is_auditor()',
        message: "function medzen.is_auditor() is the host's own",
      },
    ]);
    await own.drop();
  });

  test("an index of the host's, and a role that it has permitted in the way of the migrations", async () => {
    const own = await freshDatabase();
    await own.pool.query(`
      CREATE INDEX of_the_host ON medzen.consent (participant);
      SELECT medzen.permit('${service}', 'append_events'); SELECT medzen.permit_select('${service}', 'recording'); SELECT medzen.apply_permissions();`);
    expect(await look(own)).toEqual([]);
    await own.drop();
  });
});

test('a login without rights learns what it could not look at, and changes nothing', async () => {
  const url = new URL(db.url);
  url.username = reader;
  const client = new pg.Client(url.href);
  await client.connect();
  const { findings, unexamined } = await examineSql(client);
  await client.end();
  expect(unexamined.length).toBeGreaterThan(0);
  expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
});

test('on a Postgres later than any it was tested on, it says so, and that is no finding', async () => {
  const client = await db.connect();
  const later = {
    query: (text: string, values?: unknown[]) =>
      client.query(text.replaceAll("current_setting('server_version_num')", "'190001'"), values),
  };
  const { findings, unexamined } = await examineSql(later);
  expect(unexamined).toEqual([]);
  expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
  expect(findings).toContainEqual(expect.objectContaining({ id: 'server.untested', object: 'Postgres 19' }));
  const host = hostProject(async () => ({ ...later, end: () => client.end() }));
  expect(await host.run('doctor')).toBe(0);
  expect(host.said).toContain('was not tested on Postgres 19');
  host.remove();
});

describe('the command', () => {
  let own: HostProject;
  beforeEach(() => {
    own = hostProject(async () => db.connect());
    return () => own.remove();
  });

  test('ends with 0 where nothing is wrong, and with 1 and the remedy where something is', async () => {
    expect(await own.run('doctor')).toBe(0);
    expect(own.said).toContain('0 critical, 0 warnings');
    expect(await own.run('check')).toBe(0);
    await db.pool.query('ALTER TABLE medzen.consent DISABLE ROW LEVEL SECURITY');
    try {
      expect(await own.run('doctor')).toBe(1);
      expect(own.said).toContain('ALTER TABLE medzen.consent ENABLE ROW LEVEL SECURITY;');
      expect(await own.run('doctor', '--json')).toBe(1);
      expect(JSON.parse(own.said)).toMatchObject({
        findings: expect.arrayContaining([expect.objectContaining({ id: 'rls.off' })]),
        facts: { schema: 'medzen' },
      });
      expect(await own.run('doctor', '--schema', 'nothing_there')).toBe(1);
      expect(await own.run('check', '--schema', 'nothing_there')).toBe(1);
    } finally {
      await db.pool.query('ALTER TABLE medzen.consent ENABLE ROW LEVEL SECURITY');
    }
  });

  test.each([
    [Object.assign(new Error('connect ECONNREFUSED 10.0.0.1'), { code: 'ECONNREFUSED' }), 'be reached (ECONNREFUSED)'],
    [new Error('timeout expired'), 'be reached'],
    [Object.assign(new Error('for user "x"'), { code: '28P01' }), 'be entered (SQLSTATE 28P01)'],
  ])('ends with 2 where the database does not answer, and does not say its address: %s', async (error, said) => {
    const down = hostProject(() => Promise.reject(error));
    expect(await down.run('doctor')).toBe(2);
    expect(down.said).toBe(`medzen-sql: The database that DATABASE_URL names cannot ${said}`);
    down.remove();
  });
});
