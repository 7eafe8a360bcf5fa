import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from './postgres.ts';
import { type SupabaseProject, supabaseProject } from './postgrest-stand-in-contexts.ts';

let db: FreshDatabase;
let project: SupabaseProject;
beforeAll(async () => {
  db = await freshDatabase({ install: false });
  project = await supabaseProject(db.url, { schemas: ['api', 'other'], maxRows: 3 });
  await db.pool.query(`
    CREATE SCHEMA api; GRANT USAGE ON SCHEMA api TO anon, authenticated;
    CREATE SCHEMA other; CREATE SCHEMA hidden;
    CREATE TABLE api.note (id int8 PRIMARY KEY, body bytea);
    INSERT INTO api.note VALUES (1, '\\x00ff');
    GRANT SELECT ON api.note TO authenticated;
    CREATE FUNCTION api.whoami() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
      SELECT jsonb_build_object('role', current_user, 'sub', current_setting('request.jwt.claims')::jsonb ->> 'sub') $$;
    CREATE FUNCTION api.big(p_value int8 DEFAULT 7) RETURNS int8 LANGUAGE sql AS 'SELECT p_value';
    CREATE FUNCTION api.series(p_count int4) RETURNS TABLE (n int8, b bytea) LANGUAGE sql AS
      $$ SELECT g, '\\x0a'::bytea FROM generate_series(1, p_count) g $$;
    CREATE FUNCTION api.note_down(p_id int8) RETURNS int8 LANGUAGE sql SECURITY DEFINER AS
      'INSERT INTO api.note (id) VALUES (p_id) RETURNING id';
    CREATE FUNCTION api.told() RETURNS jsonb LANGUAGE sql AS $$
      SELECT jsonb_build_object('headers', current_setting('request.headers')::jsonb, 'method', current_setting('request.method'),
        'path', current_setting('request.path')) $$;
    CREATE FUNCTION api.twice(p_value text) RETURNS text LANGUAGE sql AS 'SELECT p_value';
    CREATE FUNCTION api.twice(p_value int4) RETURNS text LANGUAGE sql AS 'SELECT p_value::text';
    CREATE FUNCTION api.raise(p_state text) RETURNS text LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'no' USING ERRCODE = p_state, DETAIL = 'why', HINT = 'how'; END $$;
    CREATE FUNCTION api.sly() RETURNS int8 LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
      BEGIN PERFORM nextval('api.sly_seq'); RETURN 1; END $$;
    CREATE SEQUENCE api.sly_seq;`);
}, 60_000);
afterAll(async () => {
  await project.close();
  await db.drop();
});

interface Answered {
  readonly status: number;
  readonly body: unknown;
  readonly range: string | null;
}

async function ask(path: string, args?: object, headers: Record<string, string> = {}): Promise<Answered> {
  const init = args === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(args) };
  const response = await fetch(`${project.standIn.url}/rest/v1/${path}`, init);
  return { status: response.status, body: await response.json(), range: response.headers.get('content-range') };
}

async function as(role: string): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await project.key(role, { sub: 'ama' })}` };
}

test('a request runs as the role of its token, with its claims, and leaves neither to the next one', async () => {
  expect(await ask('rpc/whoami', {}, await as('authenticated'))).toMatchObject({
    status: 200,
    body: { role: 'authenticated', sub: 'ama' },
  });
  expect((await ask('rpc/whoami', {})).body).toEqual({ role: 'anon', sub: null });
});

test('functions are called by GET too, with their arguments in the query, and write nothing then', async () => {
  expect(await ask('rpc/big?p_value=9')).toMatchObject({ status: 200, body: 9 });
  expect(await ask('rpc/big?p_other=9')).toMatchObject({ status: 404, body: { code: 'PGRST202' } });
  expect(await ask('rpc/note_down?p_id=2')).toMatchObject({ status: 405, body: { code: '25006' } });
});

test('the settings tell the headers, without cookies, the method and the path', async () => {
  const headers = { 'x-forwarded-for': '192.0.2.7', cookie: 'secret' };
  const { body } = await ask('rpc/told', {}, headers);
  expect(body).toMatchObject({ method: 'POST', path: '/rpc/told', headers: { 'x-forwarded-for': '192.0.2.7' } });
  expect(JSON.stringify(body)).not.toContain('secret');
});

test('a request that asks for it is undone where db-tx-end allows it, and answered all the same', async () => {
  const undo = { prefer: 'tx=rollback' };
  const lenient = await supabaseProject(db.url, { schemas: ['api'], txEnd: 'commit-allow-override' });
  try {
    const init = { method: 'POST', body: '{"p_id": 3}', headers: undo };
    expect(await (await fetch(`${lenient.standIn.url}/rest/v1/rpc/note_down`, init)).json()).toBe(3);
  } finally {
    await lenient.close();
  }
  expect((await ask('rpc/note_down', { p_id: 4 }, undo)).body).toBe(4);
  const { rows } = await db.pool.query('SELECT id::int FROM api.note WHERE id IN (3, 4)');
  expect(rows).toEqual([{ id: 4 }]);
  await db.pool.query('DELETE FROM api.note WHERE id = 4');
});

test('one value comes bare, rows in a list; int8 as a number, bytes as hex', async () => {
  expect((await ask('rpc/big', {})).body).toBe(7);
  expect((await ask('rpc/big', { p_value: '9' })).body).toBe(9);
  expect((await ask('rpc/series', { p_count: 2 })).body).toEqual([
    { n: 1, b: '\\x0a' },
    { n: 2, b: '\\x0a' },
  ]);
  expect((await ask('note', undefined, await as('authenticated'))).body).toEqual([{ id: 1, body: '\\x00ff' }]);
});

test('no more rows come than db-max-rows, and the count of all is told when it is asked for', async () => {
  const exact = { prefer: 'count=exact' };
  expect(await ask('rpc/series', { p_count: 3 }, exact)).toMatchObject({ status: 200, range: '0-2/3' });
  const cut = await ask('rpc/series', { p_count: 5 }, exact);
  expect(cut).toMatchObject({ status: 206, range: '0-2/5' });
  expect(cut.body).toHaveLength(3);
  expect(await ask('rpc/series', { p_count: 5 })).toMatchObject({ status: 200, range: '0-2/*' });
  expect(await ask('rpc/series', { p_count: 0 }, exact)).toMatchObject({ body: [], range: '*/0' });
});

test.each([
  ['rpc/none', {}, {}, 404, 'PGRST202'],
  ['rpc/big', { p_other: 1 }, {}, 404, 'PGRST202'],
  ['rpc/series', {}, {}, 404, 'PGRST202'],
  ['rpc/twice', { p_value: 'a' }, {}, 300, 'PGRST203'],
  ['rpc/big', {}, { 'content-profile': 'hidden' }, 406, 'PGRST106'],
  ['rpc/big', {}, { 'content-profile': 'other' }, 404, 'PGRST202'],
  ['rpc/big', [1], {}, 400, 'PGRST102'],
  ['rpc/sly', {}, {}, 405, '25006'],
  ['rpc/raise', { p_state: '23505' }, {}, 409, '23505'],
  ['rpc/raise', { p_state: 'MZ009' }, {}, 400, 'MZ009'],
  ['rpc/raise', { p_state: 'PT402' }, {}, 402, 'PT402'],
  ['rpc/raise', { p_state: '53300' }, {}, 503, '53300'],
  ['note', undefined, {}, 401, '42501'],
  ['absent', undefined, {}, 404, 'PGRST205'],
  ['note', undefined, { 'accept-profile': 'hidden' }, 406, 'PGRST106'],
])('%s with %j and %j is refused with %i %s', async (path, args, headers, status, code) => {
  expect(await ask(path, args, headers)).toMatchObject({ status, body: { code } });
});

test('the body of an error has the four fields of Postgres', async () => {
  expect((await ask('rpc/raise', { p_state: 'P0001' })).body).toEqual({
    code: 'P0001',
    message: 'no',
    details: 'why',
    hint: 'how',
  });
});
