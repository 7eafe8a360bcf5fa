import { randomUUID } from 'node:crypto';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { checkSql, installSql, pgliteWire, pgWire } from './index.ts';
import { migrations } from './migrations.generated.ts';
import { sqlstates } from './sqlstate.ts';

const open: { drop(): Promise<void> }[] = [];
async function database(options: Parameters<typeof freshDatabase>[0]): Promise<FreshDatabase> {
  const db = await freshDatabase(options);
  open.push(db);
  return db;
}
afterAll(() => Promise.all(open.map((db) => db.drop())));

const ids = migrations.map(({ id }) => id);

describe('installSql', () => {
  test('applies every migration once, and nothing the second time', async () => {
    const { pool } = await database({ install: false });
    expect(await installSql(pool)).toEqual(ids);
    expect(await installSql(pool)).toEqual([]);
    expect(await checkSql(pgWire(pool))).toEqual({ missing: [], drifted: [], tooNew: [], testClock: false });
  });

  test('works on PGlite, under another schema', async () => {
    const db = await PGlite.create();
    expect(await installSql(db, { schema: 'clinic_audit', test: true })).toEqual([...ids, 'medzen_test']);
    const { testClock } = await checkSql(pgliteWire(db, { schema: 'clinic_audit' }));
    expect(testClock).toBe(true);
    const { rows } = await db.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'medzen%'");
    expect(rows).toEqual([]);
    await db.close();
  }, 120_000); // starting PGlite takes a machine that is busy its time

  test('leaves one ledger when two installers start at once', async () => {
    const { pool } = await database({ install: false });
    const applied = await Promise.all([installSql(pool), installSql(pool), installSql(pool)]);
    expect(applied.flat().sort()).toEqual(ids);
  });

  test('refuses a database whose migration was altered, and one that is too new', async () => {
    const { pool } = await database({});
    await pool.query("UPDATE medzen.migration SET checksum = 'other' WHERE id = '000001_foundation'");
    await expect(installSql(pool)).rejects.toMatchObject({ code: 'migration_drift' });
    await expect(checkSql(pgWire(pool))).rejects.toMatchObject({ code: 'migration_drift' });
    const newer = await database({});
    await newer.pool.query("INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('900000_x', 'x', false)");
    await checkSql(pgWire(newer.pool));
    await newer.pool.query("UPDATE medzen.migration SET breaking = true WHERE id = '900000_x'");
    await expect(checkSql(pgWire(newer.pool))).rejects.toMatchObject({ code: 'migration_drift' });
    await expect(installSql(newer.pool)).rejects.toMatchObject({ code: 'migration_drift' });
  });

  test('needs no more than the right to create a schema, where an administrator has made the roles', async () => {
    const db = await database({ install: false });
    const owner = `owner_${randomUUID().slice(0, 8)}`;
    const { rows } = await db.pool.query('SELECT current_database() AS name');
    await db.pool.query(`CREATE ROLE ${owner} NOLOGIN NOSUPERUSER NOCREATEROLE`);
    try {
      await db.pool.query(`GRANT CREATE ON DATABASE ${rows[0]?.name} TO ${owner}`);
      const limited = db.open({ options: `-c role=${owner}` });
      expect(await installSql(limited)).toEqual(ids);
      await checkSql(pgWire(db.open({ options: '-c role=medzen_app' })));
    } finally {
      await db.drop();
      const admin = await database({ install: false });
      await admin.pool.query(`DROP ROLE ${owner}`);
    }
  });

  test('refuses a schema name that is not a plain identifier', async () => {
    const { pool } = await database({ install: false });
    for (const schema of ['a; DROP TABLE x', 'Medzen', '', 'pg_catalog', 'a-b', 'medzen\n'])
      await expect(installSql(pool, { schema })).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  test('refuses every word that Postgres or PL/pgSQL reserves, before anything is applied', async () => {
    const { pool } = await database({ install: false });
    const { rows } = await pool.query("SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'");
    const words = rows.map(({ word }) => String(word));
    expect(words).toContain('select');
    for (const schema of [...words, 'begin', 'loop', 'while'])
      await expect(installSql(pool, { schema }), schema).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  test("does not install into others' schemas, from which it would take the rights of PUBLIC", async () => {
    const { pool } = await database({ install: false });
    await pool.query('CREATE TABLE public.of_the_host (id int); GRANT SELECT ON public.of_the_host TO PUBLIC');
    for (const schema of ['public', 'information_schema', 'auth'])
      await expect(installSql(pool, { schema })).rejects.toMatchObject({ code: 'invalid_configuration' });
    const { rows } = await pool.query("SELECT relacl::text FROM pg_class WHERE relname = 'of_the_host'");
    expect(rows[0]?.relacl).toContain('=r/');
  });

  test('makes the partitions of the coming months once when several processes ask at the same time', async () => {
    const { pool } = await database({ test: true });
    await pool.query("SELECT medzen.set_test_clock('2031-01-15T00:00:00Z')");
    expect(await Promise.all([1, 2, 3, 4].map(() => installSql(pool, { test: true })))).toEqual([[], [], [], []]);
    const { rows } = await pool.query(
      "SELECT FROM pg_class WHERE relname LIKE 'audit_event_2031___' AND relispartition",
    );
    expect(rows).toHaveLength(7);
  });
});

describe('checkSql', () => {
  test('names the first missing migration', async () => {
    const { pool } = await database({ install: false });
    await expect(checkSql(pgWire(pool))).rejects.toMatchObject({
      code: 'migration_missing',
      message: expect.stringContaining('000001_foundation'),
    });
  });

  test('is open to the role of a service, which cannot read the ledger itself', async () => {
    const db = await database({});
    const pool = db.open({ options: '-c role=medzen_app' });
    await checkSql(pgWire(pool));
    await expect(pool.query('SELECT FROM medzen.migration')).rejects.toMatchObject({ code: '42501' });
  });
});

describe('a database in which others may make things', () => {
  test('does not bind what is installed to operators of theirs', async () => {
    const { pool } = await database({ install: false });
    // Fits `numeric * integer` better than any of Postgres's own.
    await pool.query(`
      CREATE TABLE public.ran (who text);
      CREATE FUNCTION public.times(numeric, integer) RETURNS numeric LANGUAGE plpgsql IMMUTABLE
        AS $$ BEGIN RAISE EXCEPTION 'somebody else''s code as %', current_user; END $$;
      CREATE OPERATOR public.* (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = public.times)`);
    await installSql(pool, { test: true });
    await pool.query("SELECT medzen.search_events('default', 1, p_from => '2026-01-01T00:00:00Z')");
    const { rows } = await pool.query(`
      SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS bound FROM pg_depend d
      WHERE d.refclassid = 'pg_operator'::regclass OR d.refclassid = 'pg_proc'::regclass AND d.refobjid = 'public.times'::regproc`);
    expect(rows).toEqual([{ bound: 'operator *(numeric,integer)' }]);
    const { rows: path } = await pool.query('SHOW search_path');
    expect(path).toEqual([{ search_path: '"$user", public' }]);
  });

  test.each(['medzen', 'medzen_api'])('does not take a schema %s that is somebody else’s', async (schema) => {
    const { pool } = await database({ install: false });
    const other = `other_${randomUUID().slice(0, 8)}`;
    await pool.query(`CREATE ROLE ${other} NOLOGIN; CREATE SCHEMA ${schema} AUTHORIZATION ${other}`);
    await expect(installSql(pool)).rejects.toMatchObject({ code: 'invalid_configuration' });
    await pool.query(`ALTER SCHEMA ${schema} OWNER TO current_user`);
    expect(await installSql(pool)).toEqual(ids);
    await pool.query(`DROP ROLE ${other}`);
  });
});

describe('the schema', () => {
  test('raises every code of the library under its own SQLSTATE', async () => {
    const { pool } = await database({});
    for (const [code, state] of Object.entries(sqlstates))
      await expect(pool.query('SELECT medzen.fail($1, $2)', [code, 'why'])).rejects.toMatchObject({ code: state });
  });

  test('gives PUBLIC nothing, and pins the search path of every function', async () => {
    const { pool } = await database({ test: true });
    const { rows } = await pool.query(`
      SELECT f.proname FROM pg_proc f, LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
      WHERE f.pronamespace = 'medzen'::regnamespace AND a.grantee = 0
      UNION ALL
      SELECT c.relname FROM pg_class c, LATERAL aclexplode(c.relacl) a
      WHERE c.relnamespace = 'medzen'::regnamespace AND a.grantee = 0
      UNION ALL
      SELECT n.nspname FROM pg_namespace n, LATERAL aclexplode(n.nspacl) a WHERE n.nspname = 'medzen' AND a.grantee = 0
      UNION ALL
      SELECT proname FROM pg_proc WHERE pronamespace = 'medzen'::regnamespace
        AND prosqlbody IS NULL AND NOT coalesce(proconfig::text LIKE '%search_path%', false)`);
    expect(rows).toEqual([]);
  });

  // A date in a style that abbreviates the zone is another one when it is read again: IST is India's time, and Israel's.
  test('writes the instants that people give in one style, whatever the session prefers', async () => {
    const { pool } = await database({});
    const { rows } = await pool.query(`
      SELECT proname FROM pg_proc WHERE pronamespace = 'medzen_api'::regnamespace AND 'timestamptz'::regtype = ANY (proargtypes)
        AND NOT coalesce('DateStyle=ISO' = ANY (proconfig), false)`);
    expect(rows).toEqual([]);
  });

  test('has row level security on every table', async () => {
    const { pool } = await database({ test: true });
    const { rows } = await pool.query(`
      SELECT relname FROM pg_class
      WHERE relnamespace = 'medzen'::regnamespace AND relkind IN ('r', 'p') AND NOT relrowsecurity`);
    expect(rows).toEqual([]);
  });
});
