import { sealEvent } from '@medzen/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  await db.pool.query('CREATE ROLE identity_login LOGIN IN ROLE medzen_app');
});
afterAll(async () => {
  await db.pool.query('DROP ROLE identity_login');
  await db.drop();
});

interface Settings {
  readonly claims?: unknown;
  readonly headers?: unknown;
  readonly actor?: string;
  readonly context?: unknown;
}

/** What a function says in a transaction with these settings; a text is set as it is, anything else as JSON. */
async function ask(expression: string, settings: Settings): Promise<unknown> {
  const said = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  const client = await db.pool.connect();
  try {
    await client.query('BEGIN');
    const set = (name: string, value: unknown): Promise<unknown> =>
      client.query('SELECT set_config($1, $2, true)', [name, said(value)]);
    if (settings.claims !== undefined) await set('request.jwt.claims', settings.claims);
    if (settings.headers !== undefined) await set('request.headers', settings.headers);
    if (settings.actor !== undefined) await set('medzen.actor', settings.actor);
    if (settings.context !== undefined) await set('medzen.context', settings.context);
    const { rows } = await client.query<{ answer: unknown }>(`SELECT ${expression} AS answer`);
    return rows[0]?.answer;
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

const broken: readonly unknown[] = [
  '',
  ' ',
  '{',
  'null',
  '[]',
  '[1]',
  '"text"',
  '7',
  'true',
  '{"sub":null}',
  '{"sub":""}',
  '{"sub":7}',
  '{"sub":{"a":1}}',
  '{"sub":"\\ud800"}',
  '['.repeat(100_000),
];

describe('medzen.current_subject', () => {
  test('puts claims that were verified before what the host set', async () => {
    expect(await ask('medzen.current_subject()', { claims: { sub: 'firebase|a1' }, actor: 'other' })).toBe(
      'firebase|a1',
    );
    expect(await ask('medzen.current_subject()', { actor: 'other' })).toBe('other');
    expect(await ask('medzen.current_subject()', { claims: { role: 'anon' }, actor: 'other' })).toBe('other');
  });

  test.each(broken)('is nobody when the claims are %j', async (claims) => {
    expect(await ask('medzen.current_subject()', { claims })).toBeNull();
    expect(await ask('medzen.current_actor()', { claims })).toMatchObject({ id: 'postgres', type: 'service' });
  });

  test('is nobody again once the transaction that set it has ended', async () => {
    const client = await db.connect();
    await client.query(`BEGIN; SET LOCAL request.jwt.claims = '{"sub":"a"}'; SET LOCAL medzen.actor = 'b'; COMMIT`);
    const { rows } = await client.query(
      'SELECT medzen.current_subject() AS s, medzen.current_tenant() AS t, medzen.current_source() AS f',
    );
    expect(rows).toEqual([{ s: null, t: 'default', f: {} }]);
  });
});

describe('medzen.current_tenant', () => {
  test.each<[string, Settings, string | null]>([
    ['the claim', { claims: { tenant: 'a', app_metadata: { tenant: 'b' } }, context: { tenant: 'c' } }, 'a'],
    ['the claim tenant_id', { claims: { tenant_id: 'a' } }, 'a'],
    [
      'the one in app_metadata',
      { claims: { tenant: null, app_metadata: { tenant: 'b' } }, context: { tenant: 'c' } },
      'b',
    ],
    ['that of the context', { claims: { sub: 'u' }, context: { tenant: 'c' } }, 'c'],
    ['default', { claims: { sub: 'u' }, context: '{' }, 'default'],
    ['not one that the person could write', { claims: { user_metadata: { tenant: 'b' } } }, 'default'],
    ['none, where the claim is no tenant name', { claims: { tenant: 'No such' } }, null],
    ['none, where the claim is no text', { claims: { tenant: ['a'] }, context: { tenant: 'c' } }, null],
    ['none, where the claim is empty', { claims: { tenant: '' } }, null],
    ['none, where the context is of another type', { context: { tenant: 7 } }, null],
    ['none, where the claims cannot be read', { claims: '{"sub":"eve","tenant":"a","user_metadata":1e200000}' }, null],
    ['default, where there are no claims', { claims: ' null ' }, 'default'],
  ])('is %s', async (_, settings, tenant) => {
    expect(await ask('medzen.current_tenant()', settings)).toBe(tenant);
  });
});

describe('medzen.current_actor', () => {
  test('is the person of the claims, with the roles that the guard reads from them', async () => {
    const claims = {
      sub: 'u1',
      roles: ['provider', 7, ''],
      role: 'authenticated',
      'cognito:groups': ['nurses', 'provider'],
      realm_access: { roles: ['staff'] },
      app_metadata: { roles: ['x'], role: 'y' },
      user_metadata: { role: 'system_admin' },
    };
    expect(
      await ask('medzen.current_actor()', { claims, actor: 'u2', context: { actor: { id: 'u2', role: 'z' } } }),
    ).toEqual({
      id: 'u1',
      type: 'user',
      role: 'provider,authenticated,nurses,staff,x,y',
    });
  });

  test.each<[string, Settings, object]>([
    ['whom the host named', { actor: 'u1' }, { id: 'u1', type: 'user' }],
    [
      'whom the host named, with what its context says of him',
      {
        actor: 'u1',
        context: { actor: { id: 'u1', type: 'service', roles: ['a', 'b'], name: 'N', onBehalfOf: 'p1' } },
      },
      { id: 'u1', type: 'service', role: 'a,b', name: 'N', onBehalfOf: 'p1' },
    ],
    [
      'whom only the context names',
      { context: { actor: { id: 'u1', role: 'r' } } },
      { id: 'u1', type: 'user', role: 'r' },
    ],
    ['not mixed of two', { actor: 'u1', context: { actor: { id: 'u2', role: 'r' } } }, { id: 'u1', type: 'user' }],
    ['of a type that exists', { actor: 'u1', context: { actor: { type: 'robot\nuser' } } }, { id: 'u1', type: 'user' }],
    ['whole though the context is not', { actor: 'u1', context: { actor: [1] } }, { id: 'u1', type: 'user' }],
  ])('is %s', async (_, settings, actor) => {
    expect(await ask('medzen.current_actor()', settings)).toEqual(actor);
  });

  test('is the login, with the role it has taken on, and never the owner of the functions that ask', async () => {
    const url = new URL(db.url);
    url.username = 'identity_login';
    const login = db.open({ connectionString: url.href, max: 1 });
    await db.pool.query(`CREATE FUNCTION public.who() RETURNS jsonb LANGUAGE sql SECURITY DEFINER
      RETURN jsonb_build_array(current_user, medzen.current_actor())`);
    const who = async (): Promise<unknown> => (await login.query('SELECT public.who() AS w')).rows[0].w;
    expect(await who()).toEqual(['postgres', { id: 'identity_login', type: 'service' }]);
    await login.query('SET ROLE medzen_app');
    expect(await who()).toEqual(['postgres', { id: 'identity_login', type: 'service', role: 'medzen_app' }]);
  });
});

describe('medzen.current_source', () => {
  test('reads the headers of PostgREST and the session of the claims', async () => {
    const headers = {
      'x-forwarded-for': '203.0.113.9, 198.51.100.7',
      'user-agent': 'Agent',
      'x-request-id': 'r1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    };
    expect(await ask('medzen.current_source()', { headers, claims: { session_id: 's1' } })).toEqual({
      ip: '198.51.100.7',
      userAgent: 'Agent',
      sessionId: 's1',
      requestId: 'r1',
      traceId: '0af7651916cd43dd8448eb211c80319c',
    });
  });

  test('puts what the host says first, member by member', async () => {
    const settings = {
      headers: { 'user-agent': 'A', 'x-request-id': 'r1' },
      context: { source: { requestId: 'r2', ip: '192.0.2.1' } },
    };
    expect(await ask('medzen.current_source()', settings)).toEqual({
      ip: '192.0.2.1',
      userAgent: 'A',
      requestId: 'r2',
    });
  });

  test.each([...broken, { 'x-forwarded-for': 7, 'user-agent': ['a'], traceparent: 'x' }])(
    'is empty with %j',
    async (headers) => {
      expect(await ask('medzen.current_source()', { headers, claims: headers, context: headers })).toEqual({});
    },
  );

  test.each<[string, number, string | null]>([
    ['192.0.2.1', 1, '192.0.2.1'],
    ['6.6.6.6, 192.0.2.1', 1, '192.0.2.1'],
    ['6.6.6.6, 192.0.2.1 ,\t10.0.0.1', 2, '192.0.2.1'],
    ['192.0.2.1', 2, null],
    ['192.0.2.1:8080', 1, '192.0.2.1'],
    ['[2001:DB8::0:1]:443', 1, '2001:db8::1'],
    ['fe80::1%eth0', 1, 'fe80::1'],
    ['::ffff:192.0.2.1', 1, '192.0.2.1'],
    ['::', 1, null],
    ['0.0.0.0', 1, null],
    ['192.0.2', 1, null],
    ['192.0.2.0/24', 1, null],
    ['192.0.2.01', 1, null],
    ['256.1.1.1', 1, null],
    ['unknown', 1, null],
    ['1::2::3', 1, null],
    ['', 1, null],
    ['192.0.2.1', 0, null],
  ])('of the forwarded addresses %j and %i hops it believes %j', async (header, hops, ip) => {
    const { rows } = await db.pool.query('SELECT medzen.forwarded_ip($1, $2) AS ip', [header, hops]);
    expect(rows).toEqual([{ ip }]);
  });
});

describe('an event within its bounds', () => {
  const unit = fc.constantFrom('x', 'é', '\ue000', '🩺');

  test('cuts a text as sealEvent cuts the user agent', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit, minLength: 250, maxLength: 540, size: 'max' }), async (userAgent) => {
        const sealed = sealEvent({
          ...{ action: 'a.b', kind: 'read', outcome: 'success', tenant: 'default', actor: { id: 'u', type: 'user' } },
          source: { userAgent },
        });
        const { rows } = await db.pool.query(
          'SELECT medzen.utf16_cut($1, 512) AS cut, medzen.utf16_length($1) AS length',
          [userAgent],
        );
        expect(rows[0].length).toBe(userAgent.length);
        expect(rows[0].cut).toBe(JSON.parse(Buffer.from(sealed.body).toString()).source.userAgent);
      }),
      { numRuns: 200 },
    );
  });

  test('is written however long the claims, the headers and the context are', async () => {
    const long = '\u0001🩺'.repeat(30_000);
    const id = await ask(
      `medzen.record_event('table.write', 'update', p_patient => repeat('\u0001', 30000),
      p_target_type => repeat('t', 30000), p_target_id => repeat('\u0001', 30000))`,
      {
        claims: { sub: long, role: long, session_id: long },
        headers: { 'user-agent': long, 'x-request-id': long },
        context: {
          purpose: long,
          reason: long,
          source: { traceId: long, ip: long },
          actor: { id: long, name: long, onBehalfOf: long },
        },
      },
    );
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('tells long subjects apart by their hash', async () => {
    const actor = (sub: string): Promise<unknown> => ask(`medzen.current_actor() ->> 'id'`, { claims: { sub } });
    expect(await actor('é'.repeat(256))).toBe('é'.repeat(256));
    expect(await actor('é'.repeat(257))).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await actor('é'.repeat(257))).not.toBe(await actor('é'.repeat(258)));
  });
});

describe('medzen.record_event', () => {
  test('writes who, from where and why by the settings, into the transaction of the caller', async () => {
    const client = await db.connect();
    await client.query(`BEGIN;
      SET LOCAL request.jwt.claims = '{"sub":"u1","role":"authenticated","tenant":"clinic"}';
      SET LOCAL medzen.context = '{"purpose":"BTG","reason":"Unconscious","source":{"ip":"192.0.2.1"}}'`);
    const { rows } = await client.query<{
      id: string;
    }>(`SELECT medzen.record_event('recording.view', 'read', p_patient => 'p1',
      p_target_type => 'recording', p_target_id => 'r1', p_fields => ARRAY['b', 'a'], p_detail => '{"z":1.50,"a":null}') AS id`);
    const id = rows[0]?.id;
    const seen = async (): Promise<unknown> =>
      (await db.pool.query(`SELECT convert_from(body, 'UTF8') AS body FROM medzen.audit_event WHERE id = $1`, [id]))
        .rows;
    expect(await seen()).toEqual([]);
    await client.query('COMMIT');
    expect(await seen()).toEqual([
      {
        body: expect.stringMatching(
          /^\{"action":"recording.view","actor":\{"id":"u1","role":"authenticated","type":"user"\},"at":"[^"]+","detail":\{"a":null,"z":1.5\},"fields":\["b","a"\],"id":"[^"]+","kind":"read","nonce":"[0-9a-f]{32}","outcome":"success","patient":"p1","purpose":"BTG","reason":"Unconscious","source":\{"ip":"192.0.2.1"\},"target":\{"id":"r1","type":"recording"\},"tenant":"clinic","v":1\}$/,
        ),
      },
    ]);
  });

  test('is TREAT where a patient is concerned and nothing else is said, as in the library', async () => {
    expect(await ask('medzen.current_draft(true)', {})).toMatchObject({ purpose: 'TREAT' });
    expect(await ask('medzen.current_draft(false)', {})).not.toHaveProperty('purpose');
  });

  test.each<[string, Settings, RegExp]>([
    ['claims of an unusable tenant', { claims: { tenant: 'NO' } }, /tenant/],
    ['claims that cannot be read', { claims: '{"sub":"eve","user_metadata":1e200000}' }, /cannot be read/],
    ['break-glass without a reason', { context: { purpose: 'BTG' } }, /reason/],
  ])('refuses %s, saying why', async (_, settings, message) => {
    await expect(ask(`medzen.record_event('a.b', 'read')`, settings)).rejects.toMatchObject({
      code: 'MZ001',
      message: expect.stringMatching(message),
    });
  });

  test('finds an event by an id that was too long to stand in it', async () => {
    const patient = 'p'.repeat(5000);
    await db.pool.query(`SELECT medzen.record_event('a.long', 'read', p_patient => $1)`, [patient]);
    const { rows } = await db.pool.query(`SELECT id FROM medzen.search_events('default', 10, p_patient => $1)`, [
      patient,
    ]);
    expect(rows).toHaveLength(1);
  });
});
