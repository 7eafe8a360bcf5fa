import { peopleSchema } from '@medzen/sql';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clinic, clinicSchema, openClinic } from './people-api-fixture.ts';

const people = peopleSchema(clinicSchema);
const victim = 'victim-subject';
const claims = { roles: ['patient', 'auditor', 'system_admin'] };

let clinic: Clinic;
let names: readonly string[];
beforeAll(async () => {
  clinic = await openClinic();
  names = (await clinic.functions()).map(({ name }) => name);
}, 120_000);
afterAll(() => clinic.close());

/** Arguments with which every function does its work. */
const good: Readonly<Record<string, object>> = {
  get_my_recording: { p_recording_id: '01a1ff00-0000-7000-8000-000000000000' },
  list_recording_holds: { p_recording_id: '01a1ff00-0000-7000-8000-000000000000' },
  list_my_consents: { p_session_id: 's1' },
  request_access: { p_recording_id: '01a1ff00-0000-7000-8000-000000000000' },
  withdraw_consent: { p_session_id: 's1' },
  give_consent: {
    p_session_id: 's1',
    p_text_version: '1',
    p_text_sha256: 'ab'.repeat(32),
    p_language: 'en',
    p_acknowledged_recording: true,
    p_acknowledged_storage: true,
    p_acknowledged_access: true,
    p_acknowledged_retention: true,
  },
};

async function subjectsOf(work: () => Promise<unknown>): Promise<readonly string[]> {
  const bodies = await clinic.eventsOf(work);
  return bodies.map((body) => (JSON.parse(body) as { actor: { id: string } }).actor.id);
}

describe('the catalog', () => {
  test('has no argument that names who asks, for whom, as what, or an event', async () => {
    const all = await clinic.functions();
    expect(all.length).toBeGreaterThanOrEqual(9);
    const named =
      /_(actor|subject|user|person|participant|role|admin|auditor|tenant|event|body|claims?|source|ip|agent|at|now)(_|$)/;
    expect(
      all.flatMap(({ name, args }) => args.filter((arg) => named.test(arg)).map((arg) => `${name}(${arg})`)),
    ).toEqual([]);
    // Not in a value that holds several either.
    const { rows } = await clinic.db.pool.query(
      `SELECT DISTINCT format_type(t, NULL) AS type FROM pg_proc, unnest(proargtypes) t
       WHERE pronamespace = $1::regnamespace ORDER BY 1`,
      [people],
    );
    expect(rows.map(({ type }) => type)).toEqual(['boolean', 'integer', 'text', 'timestamp with time zone', 'uuid']);
  });

  test('has only functions there, which write, run as the owner with a pinned path, and give one JSON value', async () => {
    const { rows: odd } = await clinic.db.pool.query(
      `SELECT proname FROM pg_proc WHERE pronamespace = $1::regnamespace AND NOT (
         prosecdef AND provolatile = 'v' AND NOT proretset AND prorettype = 'jsonb'::regtype AND prokind = 'f'
         AND 'search_path=pg_catalog, pg_temp' = ANY (proconfig))
       UNION ALL SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace
       UNION ALL SELECT typname FROM pg_type WHERE typnamespace = $1::regnamespace`,
      [people],
    );
    expect(odd).toEqual([]);
  });

  test('lets anon and authenticated read no table or view of either schema, partitions included', async () => {
    const { rows } = await clinic.db.pool.query(
      `SELECT r AS role, c.oid::regclass::text AS name FROM pg_class c, unnest(ARRAY['anon', 'authenticated']) r
       WHERE c.relnamespace IN ($1::regnamespace, $2::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
         AND has_any_column_privilege(r, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')`,
      [clinicSchema, people],
    );
    expect(rows).toEqual([]);
  });
});

test('every table and view of both schemas is refused over HTTP, to anon and to somebody signed in', async () => {
  const { rows } = await clinic.db.pool.query(
    `SELECT relnamespace::regnamespace::text AS schema, relname AS name, relispartition AS part FROM pg_class
     WHERE relnamespace IN ($1::regnamespace, $2::regnamespace) AND relkind IN ('r', 'p', 'v', 'm', 'f')`,
    [clinicSchema, people],
  );
  expect(rows.length).toBeGreaterThan(20);
  for (const [role, status] of [
    ['anon', 401],
    ['authenticated', 403],
  ] as const) {
    const authorization = `Bearer ${await clinic.key(role, { sub: 'mallory', ...claims })}`;
    for (const { schema, name, part } of rows) {
      const response = await fetch(`${clinic.url}/rest/v1/${name}`, {
        headers: { authorization, 'accept-profile': schema },
      });
      // PostgREST does not offer partitions; the one who asks SQL has no right to them either, as the catalog shows above.
      expect([name, response.status]).toEqual([name, part === true ? 404 : status]);
    }
  }
});

test('every inner function is refused over HTTP, by POST and by GET', async () => {
  const { rows } = await clinic.db.pool.query(
    `SELECT proname AS name, coalesce(proargnames[:pronargs], '{}') AS args FROM pg_proc WHERE pronamespace = $1::regnamespace`,
    [clinicSchema],
  );
  expect(rows.length).toBeGreaterThan(90);
  for (const [role, status] of [
    ['anon', 401],
    ['authenticated', 403],
  ] as const) {
    const headers = { 'content-profile': clinicSchema, 'accept-profile': clinicSchema };
    const mallory = clinic.bearer(await clinic.key(role, { sub: 'mallory', ...claims }), headers);
    for (const { name, args } of rows) {
      const nulls = Object.fromEntries(args.map((arg: string) => [arg, null]));
      expect([name, (await mallory.call(name, nulls)).status]).toEqual([name, status]);
    }
    expect(await mallory.call('read_head', {}, true)).toMatchObject({ status, code: '42501' });
  }
});

test('anon may call no function of people, with a token of its own or with none', async () => {
  const anon = await clinic.key('anon', { sub: 'mallory', ...claims });
  for (const key of [anon, undefined])
    for (const name of names)
      expect(await clinic.bearer(key).call(name, good[name])).toEqual({ data: null, status: 401, code: '42501' });
});

test('a token signed with another key, or with none, gets nothing', async () => {
  const forge = new SignJWT({ sub: victim, role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setIssuedAt();
  const other = await forge.sign(new TextEncoder().encode('another secret, also of 32 bytes or more'));
  const [, payload] = (await clinic.key('authenticated', { sub: victim })).split('.');
  const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${payload}.`;
  const bodies = await clinic.eventsOf(async () => {
    for (const key of [other, none])
      for (const name of names)
        expect(await clinic.bearer(key).call(name, good[name])).toEqual({ data: null, status: 401, code: 'PGRST301' });
  });
  expect(bodies).toEqual([]);
});

test.each([
  ['no subject', {}],
  ['an empty one', { sub: '' }],
  ['one that is no text', { sub: 7 }],
  ['an anonymous one', { sub: victim, is_anonymous: true }],
  ['a tenant that is none', { sub: victim, tenant: 'North; DROP' }],
])('a token with %s is unauthenticated everywhere', async (_, odd) => {
  const key = await clinic.key('authenticated', { ...claims, ...odd });
  for (const name of names)
    expect(await clinic.bearer(key).call(name, good[name])).toMatchObject({ data: null, code: 'MZ003' });
});

test('no argument that is made up is taken, and no argument that exists makes a caller somebody else', async () => {
  const mallory = await clinic.person('mallory', claims);
  for (const made of [
    'p_actor',
    'p_subject',
    'p_participant',
    'p_tenant',
    'p_role',
    'p_event_id',
    'p_event_body',
    'p_patient_id',
  ])
    for (const name of names)
      expect(await mallory.call(name, { ...good[name], [made]: victim })).toMatchObject({
        data: null,
        code: 'PGRST202',
      });

  const hostile = [victim, "x' OR '1'='1", '%', '{"sub":"victim-subject"}', '../../x', '\u2028', '💉'.repeat(60)];
  for (const { name, args } of await clinic.functions()) {
    const subjects = await subjectsOf(async () => {
      for (const [arg, value] of args.flatMap((each) => hostile.map((one) => [each, one] as const))) {
        const { data, code } = await mallory.call(name, { ...good[name], [arg]: value });
        // Taken as a value, or refused by its form: never an error of SQL's grammar, of a missing right, or of our own making.
        const fine = data !== null || /^(MZ001|22P02|22007|22008)$/.test(code ?? '');
        expect(fine, `${name}(${arg} => ${value}): ${code}`).toBe(true);
        expect(JSON.stringify(data ?? '')).not.toContain(`"participant":"${victim}"`);
      }
    });
    expect(new Set([...subjects, 'mallory'])).toEqual(new Set(['mallory']));
  }
}, 120_000);

test('settings that a header or a claim brings along do not make a caller somebody else', async () => {
  const key = await clinic.key('authenticated', {
    sub: 'mallory',
    actor: victim,
    medzen: { actor: victim },
    'medzen.actor': victim,
  });
  const headers = {
    'medzen.actor': victim,
    'medzen.context': '{"actor":{"id":"victim-subject"}}',
    'x-forwarded-for': '198.51.100.9',
  };
  const [body = ''] = await clinic.eventsOf(() => clinic.bearer(key, headers).call('list_my_recordings'));
  expect(JSON.parse(body)).toMatchObject({ actor: { id: 'mallory', type: 'user' }, source: { ip: '198.51.100.9' } });
});

test('a call by GET is refused, and leaves nothing', async () => {
  const mallory = await clinic.person('mallory', claims);
  const bodies = await clinic.eventsOf(async () => {
    for (const name of names)
      expect(await mallory.call(name, good[name], true)).toEqual({ data: null, status: 405, code: '25006' });
  });
  expect(bodies).toEqual([]);
});

describe('nothing is answered whose event does not stay', () => {
  test('when the event cannot be written, nobody is told anything', async () => {
    await clinic.db.pool.query(`
      CREATE FUNCTION public.out_of_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'out of order'; END $$;
      CREATE TRIGGER out_of_order BEFORE INSERT ON ${clinicSchema}.audit_event FOR EACH ROW EXECUTE FUNCTION public.out_of_order()`);
    try {
      for (const who of [claims, {}]) {
        const mallory = await clinic.person('mallory', who);
        for (const name of names)
          expect(await mallory.call(name, good[name]), name).toEqual({ data: null, status: 400, code: 'P0001' });
      }
    } finally {
      await clinic.db.pool.query(
        `DROP TRIGGER out_of_order ON ${clinicSchema}.audit_event; DROP FUNCTION public.out_of_order`,
      );
    }
  });

  test('where PostgREST lets a request undo itself, the request is refused before anything is read', async () => {
    const lenient = await openClinic({ lenient: true });
    try {
      const key = await lenient.key('authenticated', { sub: 'mallory', ...claims });
      for (const prefer of ['tx=rollback', 'count=none, tx=rollback', 'TX = Rollback'])
        for (const name of names)
          expect(await lenient.bearer(key, { prefer }).call(name, good[name])).toEqual({
            data: null,
            status: 400,
            code: 'MZ001',
          });
    } finally {
      await lenient.close();
    }
  });

  test.each([
    ['a cast that fails and quotes the answer', "CAST(r -> 'events' ->> 0 AS integer)", ''],
    ['the same in small letters', "cast (r ->> 'status' AS integer)", ''],
    ['a filter that leaves nothing, for which PostgREST fails', 'r', "WHERE r ->> 'status' <> 'ok'"],
  ])('a statement is refused that has %s', async (_, shown, filter) => {
    const client = await clinic.db.connect();
    await client.query(`BEGIN; SET LOCAL ROLE authenticated`);
    await client.query("SELECT set_config('request.jwt.claims', $1, true)", [
      JSON.stringify({ sub: 'mallory', ...claims }),
    ]);
    // As PostgREST puts a caller's `select` and filters around the call.
    const text = `WITH pgrst_source AS (SELECT ${people}.search_audit() AS r) SELECT ${shown} FROM pgrst_source ${filter}`;
    await expect(client.query(text)).rejects.toMatchObject({ code: 'MZ001' });
    await client.query('ROLLBACK');
  });
});
