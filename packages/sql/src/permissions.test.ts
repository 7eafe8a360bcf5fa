import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { installSql } from './index.ts';
import { migrations } from './migrations.generated.ts';

let db: FreshDatabase;
const role = `host_${randomUUID().slice(0, 8)}`;
beforeAll(async () => {
  db = await freshDatabase({ install: false });
  await installSql(db.pool, { schema: 'clinic' });
  await db.pool.query(`CREATE ROLE ${role} NOLOGIN NOINHERIT`);
}, 120_000);
afterAll(async () => {
  await db.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  await db.drop();
});

/** The functions that a role may call, `schema.name`, if it may use the schema. */
async function callable(who: string): Promise<readonly string[]> {
  const { rows } = await db.pool.query(
    `SELECT f.pronamespace::regnamespace || '.' || f.proname AS name FROM pg_proc f
     WHERE f.pronamespace IN ('clinic'::regnamespace, 'clinic_api'::regnamespace)
       AND has_schema_privilege($1, f.pronamespace, 'USAGE') AND has_function_privilege($1, f.oid, 'EXECUTE') ORDER BY 1`,
    [who],
  );
  return rows.map(({ name }) => String(name));
}

test('service_role may call what the services may, and nothing of people', async () => {
  const services = new Set([...(await callable('medzen_app')), ...(await callable('medzen_sequencer'))]);
  expect(services.size).toBeGreaterThan(30);
  expect(await callable('service_role')).toEqual([...services].sort());
});

test('a person who is signed in may call all functions for people, and no other', async () => {
  const { rows } = await db.pool.query(
    "SELECT 'clinic_api.' || proname AS name FROM pg_proc WHERE pronamespace = 'clinic_api'::regnamespace ORDER BY 1",
  );
  expect(await callable('authenticated')).toEqual(rows.map(({ name }) => name));
});

test('anon may not even use a schema, nor may authenticated use the inner one', async () => {
  const { rows } = await db.pool.query(`
    SELECT r AS role, s AS schema FROM unnest(ARRAY['anon', 'authenticated']) r, unnest(ARRAY['clinic', 'clinic_api']) s
    WHERE has_schema_privilege(r, s, 'USAGE') AND (r, s) <> ('authenticated', 'clinic_api')`);
  expect(rows).toEqual([]);
  expect(await callable('anon')).toEqual([]);
});

test('what was opened to the browser by hand is shut again, with the next migration or by hand', async () => {
  await db.pool.query(`
    GRANT USAGE ON SCHEMA clinic, clinic_api TO anon, authenticated, PUBLIC;
    GRANT ALL ON ALL TABLES IN SCHEMA clinic TO anon, authenticated, PUBLIC;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA clinic TO anon, authenticated, PUBLIC;
    GRANT ALL ON ALL ROUTINES IN SCHEMA clinic TO anon, authenticated, PUBLIC`);
  await db.pool.query('SELECT clinic.apply_permissions()');
  const { rows } = await db.pool.query(`
    SELECT c.oid::regclass::text AS name, r AS role FROM pg_class c, unnest(ARRAY['anon', 'authenticated']) r
    WHERE c.relnamespace = 'clinic'::regnamespace AND CASE c.relkind
      WHEN 'S' THEN has_sequence_privilege(r, c.oid, 'USAGE, SELECT, UPDATE')
      WHEN 'r' THEN has_table_privilege(r, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
      WHEN 'p' THEN has_table_privilege(r, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
      WHEN 'v' THEN has_table_privilege(r, c.oid, 'SELECT') END`);
  expect(rows).toEqual([]);
  expect(await callable('anon')).toEqual([]);
  for (const name of await callable('authenticated')) expect(name).toMatch(/^clinic_api\./);
});

test("a host's own role may call what it was permitted, even where the role came later", async () => {
  const late = `${role}_late`;
  await db.pool.query(
    `SELECT clinic.permit('${role}', 'read_head', 'audit_lag'), clinic.permit('${late}', 'read_head')`,
  );
  expect(await callable(role)).toEqual([]);
  await db.pool.query('SELECT clinic.apply_permissions()');
  expect(await callable(role)).toEqual(['clinic.audit_lag', 'clinic.read_head']);
  await db.pool.query(`CREATE ROLE ${late} NOLOGIN`);
  try {
    await db.pool.query('SELECT clinic.apply_permissions()');
    expect(await callable(late)).toEqual(['clinic.read_head']);
  } finally {
    await db.pool.query(`DROP OWNED BY ${late}; DROP ROLE ${late}`);
  }
});

test('a role of the host for people, where it has no authenticated, may be permitted what that one may', async () => {
  await db.pool.query(`
    SELECT clinic.permit('${role}', VARIADIC array_agg(p.function)) FROM clinic.permission p WHERE p.role = 'authenticated';
    SELECT clinic.apply_permissions()`);
  expect(await callable(role)).toEqual(expect.arrayContaining([...(await callable('authenticated'))]));
});

test('nobody permits anything to anon or PUBLIC, nor an inner function to authenticated', async () => {
  for (const [who, what] of [
    ['anon', 'clinic_api.anything'],
    ['public', 'clinic_api.anything'],
    ['authenticated', 'search_events'],
  ])
    await expect(db.pool.query('SELECT clinic.permit($1, $2)', [who, what])).rejects.toMatchObject({ code: 'MZ002' });
});

test("a schema of the host that has the name of the people's is left alone", async () => {
  const other = await freshDatabase({ install: false });
  try {
    await other.pool.query('CREATE SCHEMA medzen_api; CREATE TABLE medzen_api.of_the_host (id int)');
    await expect(installSql(other.pool)).rejects.toMatchObject({ code: 'invalid_configuration' });
    await other.pool.query('DROP TABLE medzen_api.of_the_host');
    expect(await installSql(other.pool)).not.toEqual([]);
  } finally {
    await other.drop();
  }
});

test('what a host may replace is defined by one migration, so that no upgrade undoes it', () => {
  const replaceable = [
    'current_subject',
    'current_tenant',
    'current_patient',
    'trusted_hops',
    'is_auditor',
    'is_system_admin',
  ];
  for (const name of replaceable) {
    const homes = migrations.filter(({ sql }) => sql.includes(`FUNCTION medzen.${name}(`)).map(({ id }) => id);
    expect({ name, homes: homes.length }).toEqual({ name, homes: 1 });
  }
});

test('a function that the host has replaced is as shut as it was', async () => {
  await db.pool.query(`CREATE OR REPLACE FUNCTION clinic.is_auditor() RETURNS boolean LANGUAGE sql STABLE RETURN true`);
  await db.pool.query('SELECT clinic.apply_permissions()');
  for (const who of ['anon', 'authenticated', 'public'])
    expect(
      (await db.pool.query(`SELECT has_function_privilege($1, 'clinic.is_auditor()', 'EXECUTE') AS may`, [who])).rows,
    ).toEqual([{ may: false }]);
});
