import { inspect } from 'node:util';
import { createClient } from '@supabase/supabase-js';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type SupabaseProject, supabaseProject } from '../../../test/postgrest-stand-in-contexts.ts';
import {
  type AsUserOptions,
  asUser,
  type PersonClientOptions,
  type SupabaseClientLike,
  supabaseWire,
} from './index.ts';

const issuer = 'https://securetoken.google.com/clinic-prod';
const firebaseKeys = await generateKeyPair('RS256');
const jwk = { ...(await exportJWK(firebaseKeys.publicKey)), kid: 'k1', alg: 'RS256' };

let db: FreshDatabase;
let project: SupabaseProject;
/** Without the integration of third-party auth, and with it. */
let withFirebase: SupabaseProject;
beforeAll(async () => {
  db = await freshDatabase();
  project = await supabaseProject(db.url);
  withFirebase = await supabaseProject(db.url, { jwks: { keys: [jwk] } });
  await db.pool.query(`
    CREATE FUNCTION medzen_api.contract_whoami(p_note text DEFAULT NULL, p_limit int4 DEFAULT 1) RETURNS jsonb LANGUAGE sql AS $$
      SELECT jsonb_build_object('role', current_user, 'limit', p_limit, 'note', p_note,
        'sub', current_setting('request.jwt.claims')::jsonb ->> 'sub') $$;
    CREATE FUNCTION medzen_api.contract_refuse() RETURNS jsonb LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = 'MZ009'; END $$;
    CREATE FUNCTION medzen_api.contract_forbidden() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"status":"forbidden"}'::jsonb $$;
    CREATE FUNCTION medzen_api.contract_shut() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{}'::jsonb $$;
    REVOKE EXECUTE ON FUNCTION medzen_api.contract_shut() FROM PUBLIC;
    CREATE TABLE public.own_note (owner text, body text);
    ALTER TABLE public.own_note ENABLE ROW LEVEL SECURITY;
    GRANT USAGE ON SCHEMA public TO authenticated;
    GRANT SELECT ON public.own_note TO authenticated;
    CREATE POLICY own ON public.own_note FOR SELECT TO authenticated
      USING (owner = current_setting('request.jwt.claims')::jsonb ->> 'sub');
    INSERT INTO public.own_note VALUES ('patient-ama', 'hers'), ('patient-kofi', 'his')`);
}, 120_000);
afterAll(async () => {
  await project.close();
  await withFirebase.close();
  await db.drop();
});

async function options(from: SupabaseProject = project) {
  return {
    url: from.standIn.url,
    key: await from.key('anon'),
    createClient: (url: string, key: string, given: PersonClientOptions) => createClient(url, key, given),
  };
}

const carrying = (token: string, header = 'authorization'): Request =>
  new Request('http://function.test/', {
    headers: { [header]: header === 'authorization' ? `Bearer ${token}` : token },
  });

const person = (claims: Readonly<Record<string, unknown>> = {}, from: SupabaseProject = project): Promise<string> =>
  from.key('authenticated', { sub: 'patient-ama', ...claims });

const firebaseToken = (claims: Readonly<Record<string, unknown>>): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .setIssuer(issuer)
    .setAudience('clinic-prod')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(firebaseKeys.privateKey);

describe('a client that would not speak for the person', () => {
  type Made = (url: string, key: string, given: PersonClientOptions) => SupabaseClientLike;
  const bound = async (made: Made) => {
    const token = await person();
    const given = await options();
    return () => asUser(carrying(token), { ...given, createClient: made });
  };

  test.each(['Authorization', 'authorization'])('is refused: every request of it has an %s already', async (name) => {
    const headers = { [name]: 'Bearer of-the-service' };
    const bind = await bound((url, key, given) => createClient(url, key, { ...given, global: { headers } }));
    expect(bind).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
    expect(bind).toThrow(/^(?!.*of-the-service).*Authorization/);
  });

  test.each<[string, Made]>([
    ['nobody’s token, or a session that was kept', (url, key) => createClient(url, key)],
    ['a token of its own', (url, key) => createClient(url, key, { accessToken: async () => 'of-the-service' })],
  ])('is refused: it was made with %s', async (_, made) => {
    expect(await bound(made)).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
  });

  test('is not one that adds other headers', async () => {
    const global = { headers: { 'x-request-id': '7' } };
    const bind = await bound((url, key, given) => createClient(url, key, { ...given, global }));
    expect(await bind().call('contract_whoami')).toMatchObject({ role: 'authenticated', sub: 'patient-ama' });
  });
});

describe('a person', () => {
  test('is the subject of the token, in their own role, with named arguments', async () => {
    const user = asUser(carrying(await person()), await options());
    expect(await user.call('contract_whoami', { note: "o'clock", limit: 3, absent: undefined })).toEqual({
      role: 'authenticated',
      sub: 'patient-ama',
      note: "o'clock",
      limit: 3,
    });
  });

  test("sees their own rows of the host's tables, and no others", async () => {
    const user = asUser(carrying(await person()), await options());
    expect((await user.client.from('own_note').select()).data).toEqual([{ owner: 'patient-ama', body: 'hers' }]);
  });

  test('two at once keep apart', async () => {
    const subjects = ['patient-ama', 'patient-kofi', 'patient-esi', 'patient-yaw'];
    const users = await Promise.all(
      subjects.map(async (sub) => asUser(carrying(await person({ sub })), await options())),
    );
    const answers = await Promise.all(users.map((user) => user.call<{ sub: string }>('contract_whoami')));
    expect(answers.map(({ sub }) => sub)).toEqual(subjects);
  });

  test('gets a denial as an answer, and a refusal as the error it is', async () => {
    const user = asUser(carrying(await person()), await options());
    expect(await user.call('contract_forbidden')).toEqual({ status: 'forbidden' });
    await expect(user.call('contract_refuse')).rejects.toMatchObject({ code: 'conflict' });
    await expect(user.call('contract_shut')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(user.call('contract_absent')).rejects.toMatchObject({ code: 'migration_missing' });
    for (const name of ['a.b', 'A', '', 'x'.repeat(64)])
      await expect(user.call(name)).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(user.call('contract_whoami', { 'note;': 'x' })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('cannot reach what services call', async () => {
    const { client } = asUser(carrying(await person()), await options());
    expect((await client.schema('medzen').rpc('read_head')).error).toMatchObject({ code: '42501' });
  });
});

describe('without a token of a person', () => {
  test('nothing is bound', async () => {
    const given = await options();
    const requests = [
      new Request('http://function.test/'),
      carrying(''),
      carrying('sb_publishable_abc'),
      carrying(given.key),
      carrying('not.a.token'),
      carrying('x'.repeat(9000)),
      new Request('http://function.test/', {
        headers: [
          ['authorization', `Bearer ${await person()}`],
          ['authorization', `Bearer ${await project.key('service_role')}`],
        ],
      }),
      carrying(`${await person()}, ${await project.key('service_role')}`, 'x-other'),
      carrying(`${'a'.repeat(9000)}.e30.c`),
      carrying(await project.key('authenticated')), // nobody's
      new Request('http://function.test/', { headers: { authorization: `Basic ${await person()}` } }),
      carrying(await person(), 'x-other'),
    ];
    for (const request of requests)
      expect(() => asUser(request, given)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
  });

  test('a key of a service is refused, as a token and as the key', async () => {
    const given = await options();
    const service = await project.key('service_role', { sub: 'patient-ama' });
    for (const token of ['sb_secret_abc', service, await project.key('supabase_admin', { sub: 'x' })])
      expect(() => asUser(carrying(token), given)).toThrow(expect.objectContaining({ code: 'forbidden' }));
    const request = carrying(await person());
    const keys = ['', 'sb_secret_abc', ' sb_secret_abc', service, `${service}\n`, await person(), 'eyJ0'];
    for (const key of keys)
      expect(() => asUser(request, { ...given, key })).toThrow(
        expect.objectContaining({ code: 'invalid_configuration' }),
      );
    expect(() => asUser(request, { ...given, key: 'sb_publishable_abc' })).not.toThrow();
  });

  test('an anonymous sign-in is refused', async () => {
    const given = await options();
    const request = carrying(await person({ is_anonymous: true }));
    expect(() => asUser(request, given)).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });

  test('an expired and a forged token are refused by PostgREST, and nothing falls back to a service', async () => {
    const given = await options();
    const [head, payload] = (await person()).split('.');
    const forged = `${head}.${payload}.${'A'.repeat(43)}`;
    for (const token of [await person({ exp: 1_700_000_000 }), forged])
      await expect(asUser(carrying(token), given).call('contract_whoami')).rejects.toMatchObject({
        code: 'unauthenticated',
        retryable: false,
      });
  });
});

describe('a token of Firebase', () => {
  const claims = { sub: 'abcDEF123', role: 'authenticated' };

  test('in a header of its own is accepted where the project has the integration', async () => {
    const request = carrying(await firebaseToken(claims), 'x-firebase-token');
    const user = asUser(request, { ...(await options(withFirebase)), header: 'X-Firebase-Token' });
    expect(await user.call('contract_whoami')).toMatchObject({ sub: 'abcDEF123', role: 'authenticated' });
  });

  test('is refused with the remedy where it has not', async () => {
    const request = carrying(await firebaseToken(claims), 'x-firebase-token');
    const user = asUser(request, { ...(await options()), header: 'x-firebase-token' });
    await expect(user.call('contract_whoami')).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringMatching(/Firebase.*Third-party auth.*third-party\/firebase-auth$/),
    });
  });

  test('without the claim "role" is refused with the remedy, before any request', async () => {
    const token = await firebaseToken({ sub: 'abcDEF123' });
    const given = await options(withFirebase);
    expect(() => asUser(carrying(token), given)).toThrow(/Firebase add role: "authenticated"/);
  });

  test('of an issuer nobody knows is refused without repeating what it says', async () => {
    const own = await generateKeyPair('RS256');
    const token = await new SignJWT({ ...claims, iss: 'https://evil.test/<script>' })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .sign(own.privateKey);
    const failed: unknown = await asUser(carrying(token), await options(withFirebase))
      .call('contract_whoami')
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'invalid_configuration' });
    expect(inspect(failed, { depth: 9 })).not.toMatch(/evil/);
  });
});

test('people need medzen_api alone to be exposed; a service that comes this way needs medzen as well', async () => {
  const people = await supabaseProject(db.url, { schemas: ['public', 'medzen_api'] });
  const user = asUser(carrying(await person({}, people)), await options(people));
  expect(await user.call('contract_forbidden')).toEqual({ status: 'forbidden' });
  const exposed = { code: 'invalid_configuration', message: expect.stringContaining('exposed schemas') };
  await expect(supabaseWire(await people.client('service_role')).call('read_head', {})).rejects.toMatchObject(exposed);
  await people.close();
  const services = await supabaseProject(db.url, { schemas: ['public', 'medzen'] });
  const elsewhere = asUser(carrying(await person({}, services)), await options(services));
  await expect(elsewhere.call('contract_forbidden')).rejects.toMatchObject(exposed);
  await services.close();
});

test('no error holds a token or a key', async () => {
  const token = await person();
  const nowhere = asUser(carrying(token), { ...(await options()), url: 'http://127.0.0.1:1' });
  const failed: unknown = await nowhere.call('contract_whoami').catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 'store_unavailable', retryable: true });
  expect(inspect(failed, { depth: 9 })).not.toContain(token.slice(0, 20));
  const service = await project.key('service_role');
  const given = await options();
  try {
    asUser(carrying(service), given);
    expect.unreachable();
  } catch (error) {
    expect(inspect(error, { depth: 9 })).not.toContain(service.slice(0, 20));
  }
});

test('asUser takes createClient of supabase-js, and of one typed with a database', async () => {
  type Database = {
    public: { Tables: Record<never, never>; Views: Record<never, never>; Functions: Record<never, never> };
  };
  const typed: AsUserOptions<SupabaseClientLike> = {
    ...(await options()),
    createClient: (url, key, given) => createClient<Database>(url, key, given),
  };
  const bare = asUser(carrying(await person()), { ...(await options()), createClient });
  expect(await bare.call('contract_forbidden')).toEqual(
    await asUser(carrying(await person()), typed).call('contract_forbidden'),
  );
});
