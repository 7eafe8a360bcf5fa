import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type SupabaseProject, supabaseProject } from '../../../test/postgrest-stand-in-contexts.ts';

/** What a person could try with the key that every browser has, once the schema is exposed for the service. */
let db: FreshDatabase;
let project: SupabaseProject;
beforeAll(async () => {
  db = await freshDatabase();
  project = await supabaseProject(db.url);
}, 120_000);
afterAll(async () => {
  await project.close();
  await db.drop();
});

interface Routine {
  readonly name: string;
  readonly args: readonly string[];
}

async function everyFunction(): Promise<readonly Routine[]> {
  const { rows } = await db.pool.query<Routine>(`
    SELECT proname AS name, coalesce(proargnames[:pronargs], '{}') AS args FROM pg_proc
    WHERE pronamespace = 'medzen'::regnamespace ORDER BY 1`);
  expect(rows.length).toBeGreaterThan(40);
  return rows;
}

async function everyTable(): Promise<readonly string[]> {
  const { rows } = await db.pool.query<{ name: string }>(`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'medzen'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition ORDER BY 1`);
  expect(rows.length).toBeGreaterThan(10);
  return rows.map(({ name }) => name);
}

/** With the key of a role, or with no token at all, straight over HTTP. */
async function ask(path: string, role: string | undefined, body?: object): Promise<{ status: number; code: unknown }> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    [body === undefined ? 'accept-profile' : 'content-profile']: 'medzen',
  };
  if (role !== undefined) headers.authorization = `Bearer ${await project.key(role, { sub: 'patient-ama' })}`;
  const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(`${project.standIn.url}/rest/v1/${path}`, init);
  const answer: unknown = await response.json();
  return {
    status: response.status,
    code: typeof answer === 'object' && answer !== null && 'code' in answer && answer.code,
  };
}

const nulls = (args: readonly string[]): object => Object.fromEntries(args.map((name) => [name, null]));

/** The role alone; and with the schema opened to it, as Supabase's page on custom schemas has it: the objects are shut as well. */
describe.each([{ usage: false }, { usage: true }])('a person, with USAGE on the schema: $usage', ({ usage }) => {
  const people = [
    { who: 'without a token', role: undefined, status: 401 },
    { who: 'with the key of anon', role: 'anon', status: 401 },
    { who: 'signed in', role: 'authenticated', status: 403 },
  ];
  beforeAll(async () => {
    if (usage) await db.pool.query('GRANT USAGE ON SCHEMA medzen TO anon, authenticated');
  });

  test.each(people)('$who may call no function', async ({ role, status }) => {
    for (const { name, args } of await everyFunction())
      expect({ name, ...(await ask(`rpc/${name}`, role, nulls(args))) }).toEqual({ name, status, code: '42501' });
  });

  test.each(people)('$who may read no table', async ({ role, status }) => {
    for (const table of await everyTable())
      expect({ table, ...(await ask(table, role)) }).toEqual({ table, status, code: '42501' });
  });
});

test('a service may call what services call, but reads no table either', async () => {
  expect(await ask('rpc/read_head', 'service_role', {})).toEqual({ status: 200, code: false });
  for (const table of await everyTable())
    expect({ table, ...(await ask(table, 'service_role')) }).toEqual({ table, status: 403, code: '42501' });
  for (const name of ['permit', 'apply_permissions', 'make_audit_partitions']) {
    const args = name === 'permit' ? { p_role: 'anon', p_functions: ['search_events'] } : {};
    expect({ name, ...(await ask(`rpc/${name}`, 'service_role', args)) }).toMatchObject({ name, code: '42501' });
  }
});

test('a token that was forged, has expired, or names a role that PostgREST may not take on gets nothing', async () => {
  const expired = await project.key('service_role', { exp: 1_700_000_000 });
  const [head, payload] = (await project.key('service_role')).split('.');
  for (const [token, status, code] of [
    [expired, 401, 'PGRST303'],
    [`${head}.${payload}.${'A'.repeat(43)}`, 401, 'PGRST301'],
    [`${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`, 401, 'PGRST301'],
    [await project.key('postgres'), 403, '42501'],
  ] as const) {
    const headers = { authorization: `Bearer ${token}`, 'content-profile': 'medzen' };
    const response = await fetch(`${project.standIn.url}/rest/v1/rpc/read_head`, {
      method: 'POST',
      headers,
      body: '{}',
    });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  }
});
