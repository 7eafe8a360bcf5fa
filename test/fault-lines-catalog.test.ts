import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from './postgres.ts';
import { fillTables } from './rls-matrix.fixture.ts';
import { createSupabaseRoles } from './supabase-roles.ts';

/**
 * Faults that the catalog shows. Each question is first put to a schema built as hosts build theirs, where it finds the fault, and
 * what the fault lets through is shown; then to every table, view, function and policy of ours.
 */

let db: FreshDatabase;
let owner: pg.Client;
beforeAll(async () => {
  db = await freshDatabase({ install: false });
  await createSupabaseRoles(db.url);
  await db.drop();
  db = await freshDatabase();
  owner = await db.connect();
  await fillTables(owner);
  await owner.query(`CREATE SCHEMA host; GRANT USAGE ON SCHEMA host TO anon, authenticated;
    ALTER DEFAULT PRIVILEGES IN SCHEMA host GRANT ALL ON TABLES TO anon, authenticated;
    CREATE TABLE host.person (id text PRIMARY KEY); INSERT INTO host.person VALUES ('p1');
    CREATE TABLE host.open_table (patient text); INSERT INTO host.open_table VALUES ('p1');
    CREATE TABLE host.chart (patient text REFERENCES host.person ON DELETE CASCADE); INSERT INTO host.chart VALUES ('p1');
    ALTER TABLE host.chart ENABLE ROW LEVEL SECURITY;
    ALTER TABLE host.person ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON host.chart USING (patient = coalesce(current_setting('request.jwt.claims', true)::jsonb ->> 'sub', patient));
    CREATE VIEW host.chart_view AS SELECT * FROM host.chart;
    CREATE FUNCTION host.delete_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT count(*) FROM host.chart $$;
    CREATE FUNCTION host.purge() RETURNS void LANGUAGE sql AS $$ DELETE FROM medzen.audit_event WHERE at < now() - interval '6 years' $$`);
});
afterAll(() => db.drop());

/** One column of text, sorted. */
async function names(sql: string): Promise<readonly string[]> {
  const { rows } = await owner.query<[string]>({ text: sql, rowMode: 'array' });
  return rows.map(([name]) => name).sort();
}
async function asRole(role: string, sql: string): Promise<number | null> {
  await owner.query(`BEGIN; SET LOCAL ROLE ${role}`);
  try {
    return (await owner.query(sql)).rowCount;
  } finally {
    await owner.query('ROLLBACK');
  }
}

const ours = `('medzen', 'medzen_api')`;
const hosts = `('host')`;

describe('tables without row security', () => {
  const open = (schemas: string): string => `SELECT c.relname FROM pg_class c
    WHERE c.relnamespace::regnamespace::text IN ${schemas} AND c.relkind IN ('r', 'p', 'm') AND NOT c.relrowsecurity`;

  test('are read by anybody with a browser', async () => {
    expect(await asRole('anon', 'SELECT * FROM host.open_table')).toBe(1);
    expect(await names(open(hosts))).toEqual(['open_table']);
  });

  test('there are none of ours, partitions included', async () => {
    expect(await names(open(ours))).toEqual([]);
    expect(
      (await names(`SELECT relname FROM pg_class WHERE relnamespace = 'medzen'::regnamespace AND relrowsecurity`))
        .length,
    ).toBeGreaterThan(20);
  });
});

describe('functions that anybody may call', () => {
  const callable = (schemas: string, roles: string): string => `SELECT DISTINCT f.proname
    FROM pg_proc f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
    WHERE f.pronamespace::regnamespace::text IN ${schemas} AND a.privilege_type = 'EXECUTE'
      AND (CASE a.grantee WHEN 0 THEN 'public' ELSE a.grantee::regrole::text END) IN (${roles})`;

  test('are every function, unless somebody says otherwise', async () => {
    expect(await asRole('anon', 'SELECT host.delete_all()')).toBe(1);
    expect(await names(callable(hosts, `'public', 'anon'`))).toEqual(['delete_all', 'purge']);
  });

  test('there are none of ours, and those of people are in a schema of their own', async () => {
    expect(await names(callable(ours, `'public', 'anon'`))).toEqual([]);
    expect(await names(callable(`('medzen')`, `'authenticated'`))).toEqual([]);
    expect((await names(callable(`('medzen_api')`, `'authenticated'`))).length).toBeGreaterThan(0);
  });

  test('that run with other rights look names up where the caller says; ours do not', async () => {
    const unpinned = (schemas: string): string => `SELECT f.proname FROM pg_proc f
      WHERE f.pronamespace::regnamespace::text IN ${schemas} AND f.prosecdef
        AND NOT coalesce(f.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']`;
    expect(await names(unpinned(hosts))).toEqual(['delete_all']);
    expect(await names(unpinned(ours))).toEqual([]);
  });

  test('and tables that anybody may touch: none of ours', async () => {
    const touchable = (schemas: string): string => `SELECT DISTINCT c.relname FROM pg_class c, aclexplode(c.relacl) a
      WHERE c.relnamespace::regnamespace::text IN ${schemas}
        AND (CASE a.grantee WHEN 0 THEN 'public' ELSE a.grantee::regrole::text END) IN ('public', 'anon', 'authenticated')`;
    expect(await names(touchable(hosts))).toContain('chart');
    expect(await names(touchable(ours))).toEqual([]);
  });
});

describe('views with the rights of their owner', () => {
  const bypassing = (schemas: string): string => `SELECT c.relname FROM pg_class c
    WHERE c.relnamespace::regnamespace::text IN ${schemas} AND c.relkind = 'v'
      AND NOT coalesce(c.reloptions, '{}') && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1']`;

  test('are found, and none is ours', async () => {
    expect(await names(bypassing(hosts))).toEqual(['chart_view']);
    expect(await names(bypassing(ours))).toEqual([]);
    expect(await names(`SELECT viewname FROM pg_views WHERE schemaname = 'medzen'`)).toContain('monthly_phi_access');
  });
});

describe('policies when nobody is signed in', () => {
  /** Tables of which policies show a row to a person whom somebody granted everything, with these claims. */
  const shown = async (schema: string, claims: string | null): Promise<readonly string[]> => {
    const tables = await names(`SELECT DISTINCT p.polrelid::regclass::text FROM pg_policy p
      JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = '${schema}'::regnamespace`);
    await owner.query(`BEGIN; GRANT USAGE ON SCHEMA ${schema} TO authenticated; GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO authenticated;
      GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${schema} TO authenticated`);
    try {
      // Without any policy there would be nothing to ask, and without a row nothing to see.
      for (const table of tables)
        expect((await owner.query(`SELECT FROM ${table}`)).rowCount, table).toBeGreaterThan(0);
      await owner.query('SET LOCAL ROLE authenticated');
      if (claims !== null) await owner.query(`SELECT set_config('request.jwt.claims', $1, true)`, [claims]);
      const found: string[] = [];
      for (const table of tables) if ((await owner.query(`SELECT FROM ${table}`)).rowCount !== 0) found.push(table);
      return found;
    } finally {
      await owner.query('ROLLBACK');
    }
  };

  test('let everybody in where a missing subject stands for any', async () => {
    expect(await asRole('anon', 'SELECT * FROM host.chart')).toBe(1);
    expect(await shown('host', null)).toEqual(['host.chart']);
  });

  test.each([
    ['no claims', null],
    ['claims of a transaction before', ''],
    ['no object', '[]'],
    ['broken claims', '{"sub":'],
    ['no subject', '{"role":"authenticated"}'],
    ['an empty subject', '{"sub":""}'],
    ['a subject that is null', '{"sub":null}'],
    ['a subject that is no text', '{"sub":{"a":1}}'],
    ['nobody, with the role of an admin', '{"app_role":"admin"}'],
    ['a tenant that is none', '{"sub":"p1","tenant":"NO SUCH"}'],
  ])('show no row of ours with %s', async (_, claims) => {
    expect(await shown('medzen', claims)).toEqual([]);
  });

  test('of ours do show people their own, and an auditor the log', async () => {
    expect(await shown('medzen', '{"sub":"p1"}')).toEqual([
      'medzen.consent',
      'medzen.recording',
      'medzen.recording_participant',
    ]);
    expect(await shown('medzen', '{"sub":"x","app_role":"auditor"}')).toContain('medzen.audit_rows');
  });

  test('open reading only: with none for writing, row security refuses it', async () => {
    const writing = (schemas: string): string => `SELECT tablename || '.' || policyname FROM pg_policies
      WHERE schemaname IN ${schemas} AND cmd <> 'SELECT'`;
    expect(await names(writing(hosts))).toEqual(['chart.own']);
    expect(await names(writing(ours))).toEqual([]);
  });
});

describe('keys that take the log along', () => {
  const cascading = (schemas: string): string => `SELECT c.conrelid::regclass::text FROM pg_constraint c
    JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid
    WHERE c.contype = 'f' AND t.relnamespace::regnamespace::text IN ${schemas}
      AND (c.confdeltype <> 'a' OR r.relnamespace <> t.relnamespace)`;

  test('are found, and none is ours', async () => {
    expect(await names(cascading(hosts))).toEqual(['host.chart']);
    expect(await names(cascading(ours))).toEqual([]);
  });

  test('the log references nothing but itself', async () => {
    expect(
      await names(`SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text LIKE 'medzen.audit%'
        AND confrelid::regclass::text NOT LIKE 'medzen.audit%'`),
    ).toEqual([]);
  });
});

describe('code that deletes the log', () => {
  const deleting = (schemas: string): string => `SELECT f.proname FROM pg_proc f
    WHERE f.pronamespace::regnamespace::text IN ${schemas}
      AND coalesce(f.prosrc, '') || coalesce(pg_get_function_sqlbody(f.oid), '')
        ~* '(DELETE\\s+FROM|TRUNCATE(\\s+TABLE)?)\\s+(ONLY\\s+)?medzen\\.audit_(event|leaf|tile|checkpoint|cosignature|rows|head)|DETACH\\s+PARTITION|DROP\\s+TABLE'`;

  test('is found in a function of a host; ours takes what is archived with proof, and no service may call it', async () => {
    expect(await names(deleting(hosts))).toEqual(['purge']);
    const own = await names(deleting(ours));
    expect(own).toEqual(['drop_purged_partitions', 'purge_archive']);
    expect(
      await names(`SELECT f.proname FROM pg_proc f JOIN pg_roles r ON has_function_privilege(r.oid, f.oid, 'EXECUTE')
        WHERE f.pronamespace = 'medzen'::regnamespace AND f.proname IN ('${own.join("', '")}')
          AND r.rolname IN ('medzen_app', 'medzen_sequencer', 'medzen_auditor', 'service_role', 'authenticated', 'anon')`),
    ).toEqual([]);
  });

  test('is no job', async () => {
    expect(await names(`SELECT name FROM medzen.job WHERE command ~* '(DELETE|TRUNCATE|DROP|audit_event\\M)'`)).toEqual(
      [],
    );
  });
});
