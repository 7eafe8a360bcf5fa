import { memoryStores } from '@medzen/adapters-local';
import { type AuditEvent, type AuditStore, type Ids, MedzenError, type RateLimitStore } from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { eventsOf } from '../test/events.ts';
import { createGuard, type Guard } from './guard.ts';
import type { GuardDeps } from './guard-deps.ts';
import {
  can,
  type FetchHandler,
  form,
  type IdentityAuth,
  json,
  limit,
  origins,
  publicRoute,
  purposeHeader,
  raw,
  roles,
  type SecurityHeadersOptions,
  secure,
  securityHeaders,
  webhook,
} from './index.ts';

const clock = fakeClock();
let stores: ReturnType<typeof memoryStores>;
let ids: Ids;
let guard: Guard<GuardDeps & { readonly limits: RateLimitStore }>;
const logger = { error: vi.fn(), warn: vi.fn() };
const onError = vi.fn();

/** Reads `Bearer <id>:<role>:<tenant>`: who calls is not what these tests are about. */
const auth: IdentityAuth = {
  kind: 'identity',
  authenticate: async (headers) => {
    const value = headers.get('authorization');
    if (value === null) return { ok: false, reason: 'missing' };
    const [id = '', role = '', tenant = 'default'] = value.replace('Bearer ', '').split(':');
    if (id === 'bad') return { ok: false, reason: 'expired' };
    return { ok: true, actor: { id, type: 'user', roles: [role], tenant }, claims: { sub: id }, issuer: 'test' };
  },
};

function make(more: Partial<GuardDeps> = {}): typeof guard {
  const deps = { audit: stores.audit, limits: stores.limits, clock, ids, random: fakeRandom(), logger, onError };
  // `more` may replace any of them, but takes none away.
  return createGuard({ ...deps, permissions: { provider: ['recording:start'] }, ...(more as object) });
}

beforeEach(() => {
  clock.set('2026-01-15T09:00:00.000Z');
  stores = memoryStores({ clock });
  ids = fakeIds(clock);
  guard = make();
  vi.clearAllMocks();
});

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: BodyInit;
  readonly as?: string;
  readonly ip?: string;
}

function ask(handler: FetchHandler, path: string, asked: Asked = {}): Promise<Response> {
  const { method = 'GET', headers = {}, body, as, ip = '192.0.2.7' } = asked;
  const all = { ...(as === undefined ? {} : { authorization: `Bearer ${as}` }), ...headers };
  const request = new Request(`https://api.example.com${path}`, {
    method,
    headers: all,
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  } as RequestInit); // `duplex` is not in the DOM's types
  return handler(request, { remoteAddress: ip });
}

const asJson = (value: unknown): Asked => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

async function lastEvent(tenant = 'default'): Promise<AuditEvent | undefined> {
  return (await eventsOf(stores.audit, tenant)).at(-1);
}

describe('a request that holds', () => {
  test('reaches its handler with actor, scope, parameters, query and body, typed', async () => {
    const handler = guard.secure(
      {
        route: 'POST /v1/sessions/:id/recording',
        auth,
        allow: can('recording:start'),
        params: z.object({ id: z.string().length(2) }),
        query: z.object({ page: z.coerce.number() }),
        body: json(z.object({ name: z.string().transform((name) => name.length) })),
        purpose: 'TREAT',
      },
      async (_request, ctx) =>
        Response.json({
          actor: ctx.actor,
          scope: ctx.scope,
          source: ctx.source,
          id: ctx.params.id,
          page: ctx.query.page,
          name: ctx.body.name,
          purpose: ctx.purpose,
          requestId: ctx.requestId,
          url: ctx.url.href,
          sub: ctx.claims.sub,
        }),
    );
    const response = await ask(handler, '/v1/sessions/ab/recording?page=7', {
      ...asJson({ name: 'Ada' }),
      as: 'dr-1:provider:north',
      headers: {
        'content-type': 'application/json; charset=UTF-8',
        'user-agent': 'test',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        'x-request-id': 'chosen by the client',
      },
    });
    expect(response.status).toBe(200);
    const requestId = response.headers.get('x-request-id');
    expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(await response.json()).toEqual({
      actor: { id: 'dr-1', type: 'user', roles: ['provider'], tenant: 'north' },
      scope: { tenant: 'north' },
      source: { ip: '192.0.2.7', userAgent: 'test', requestId, traceId: '0af7651916cd43dd8448eb211c80319c' },
      id: 'ab',
      page: 7,
      name: 3,
      purpose: 'TREAT',
      requestId,
      url: 'https://api.example.com/v1/sessions/ab/recording?page=7',
      sub: 'dr-1',
    });
    expect(await eventsOf(stores.audit, 'north')).toEqual([]);
  });

  test('may be public, and its context then has neither actor nor scope', async () => {
    const handler = guard.secure({ route: 'GET /healthz', auth: publicRoute('probe') }, (_request, ctx) =>
      Response.json(Object.keys(ctx).sort()),
    );
    const keys = (await (await ask(handler, '/healthz')).json()) as string[];
    expect(keys).toEqual(['body', 'params', 'query', 'requestId', 'route', 'signal', 'source', 'url', 'waitUntil']);
  });

  test('may be HEAD where GET is, and gets no body', async () => {
    const handler = guard.secure(
      { route: 'GET /x', auth: publicRoute('x') },
      (request) => new Response(request.method, { headers: { 'content-length': '4' } }),
    );
    const response = await ask(handler, '/x', { method: 'HEAD' });
    expect([response.status, await response.text(), response.headers.get('content-length')]).toEqual([200, '', '4']);
  });

  test('keeps every cookie of its answer', async () => {
    const handler = guard.secure({ route: 'GET /x', auth: publicRoute('x') }, () => {
      const headers = new Headers();
      headers.append('set-cookie', 'a=1');
      headers.append('set-cookie', 'b=2');
      return new Response(null, { headers });
    });
    expect((await ask(handler, '/x')).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  test('may be answered with a response whose header fields cannot be changed', async () => {
    const handler = guard.secure({ route: 'GET /x', auth: publicRoute('x') }, () =>
      Response.redirect('https://store.example/object', 307),
    );
    const response = await ask(handler, '/x');
    expect([response.status, response.headers.get('location')]).toEqual([307, 'https://store.example/object']);
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('takes its tenant from the host where the host says so', async () => {
    const shared = make({
      tenantOf: (actor, request) => (actor.id === 'root' ? (request.headers.get('x-t') ?? '') : 'none'),
    });
    const handler = shared.secure({ route: 'GET /x', auth }, (_request, ctx) => Response.json(ctx.scope));
    expect(await (await ask(handler, '/x', { as: 'root', headers: { 'x-t': 'south' } })).json()).toEqual({
      tenant: 'south',
    });
    const refused = await ask(handler, '/x', { as: 'root', headers: { 'x-t': '../x' } });
    expect(refused.status).toBe(403);
    expect(await lastEvent()).toMatchObject({ detail: { reason: 'tenant' }, actor: { id: 'root' } });
  });
});

describe('the order', () => {
  test('is CORS, method, IP limit, authentication, parameters, authorisation, user limit, purpose, body, handler', async () => {
    const handler = guard.secure(
      {
        route: 'POST /v1/things/:id',
        auth,
        allow: roles('provider'),
        params: z.object({ id: z.string().regex(/^\d+$/) }),
        purpose: purposeHeader({ allow: ['BTG'] }),
        body: json(z.object({ ok: z.literal(true) })),
        limits: [
          limit('by-user', { rate: 1, per: '1m', by: 'user' }),
          limit('by-ip', { rate: 3, per: '1m', by: 'ip' }),
        ],
      },
      () => {
        throw new MedzenError('conflict', 'The handler was reached');
      },
    );
    const good = asJson({ ok: true });
    const headers = {
      'content-type': 'application/json',
      'x-purpose-of-use': 'nonsense',
      origin: 'https://evil.example',
    };
    const steps: (readonly [number, Asked, string?])[] = [
      [403, { ...good, headers }],
      [405, { method: 'PUT' }],
      [401, { ...asJson(1), headers: { 'x-purpose-of-use': 'x' } }, '/v1/things/abc'],
      [422, { ...asJson(1), as: 'a:patient' }, '/v1/things/abc'],
      [403, { ...asJson(1), as: 'a:patient' }],
      [429, { ...good, as: 'a:provider' }],
    ];
    for (const [status, asked, path = '/v1/things/7'] of steps)
      expect([status, (await ask(handler, path, asked)).status]).toEqual([status, status]);

    const elsewhere = (asked: Asked, ip: string): Promise<Response> => ask(handler, '/v1/things/7', { ...asked, ip });
    expect(
      (await elsewhere({ ...asJson(1), as: 'b:provider', headers: { 'x-purpose-of-use': 'x' } }, '192.0.2.8')).status,
    ).toBe(422);
    expect((await elsewhere({ ...asJson(1), as: 'b:provider' }, '192.0.2.9')).status).toBe(429);
    expect((await elsewhere({ ...asJson(1), as: 'c:provider' }, '192.0.2.9')).status).toBe(422);
    expect((await elsewhere({ ...good, as: 'd:provider' }, '192.0.2.9')).status).toBe(409);
  });
});

describe('every answer', () => {
  const everyStatus = (): FetchHandler =>
    guard.secure(
      {
        route: 'GET /x',
        auth: publicRoute('x'),
        cors: origins('https://app.example.com'),
        query: z.object({ s: z.string() }),
      },
      (_request, ctx) => {
        if (ctx.query.s === 'throw') throw new Error('password=hunter2');
        return new Response(ctx.query.s === '204' ? null : 'x', {
          status: Number(ctx.query.s),
          headers: {
            'access-control-allow-origin': '*',
            'access-control-allow-private-network': 'true',
            'cache-control': 'public, max-age=9999',
            'x-powered-by': 'Handler',
            server: 'Handler/1',
            'x-frame-options': 'ALLOWALL',
          },
        });
      },
    );

  test.each(['200', '204', '404', '500', 'throw'])(
    'carries the security header fields and Vary: %s',
    async (status) => {
      const response = await ask(everyStatus(), `/x?s=${status}`);
      const fields = Object.fromEntries(response.headers);
      expect(fields).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'strict-transport-security': 'max-age=63072000; includeSubDomains',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-site',
        'x-xss-protection': '0',
        vary: 'Origin',
      });
      expect(Object.keys(fields).filter((name) => /^access-control|powered|^server$/.test(name))).toEqual([]);
    },
  );

  test('is readable by an origin on the list, and not by another', async () => {
    const handler = everyStatus();
    for (const status of ['200', '404', 'throw']) {
      const good = await ask(handler, `/x?s=${status}`, { headers: { origin: 'https://app.example.com' } });
      expect(good.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
      expect(good.headers.get('access-control-expose-headers')).toContain('retry-after');
      const bad = await ask(handler, `/x?s=${status}`, { headers: { origin: 'https://evil.example' } });
      expect([...bad.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  test('may differ where the policy says so', async () => {
    const options: SecurityHeadersOptions = {
      preset: 'page',
      override: { 'Strict-Transport-Security': false, 'cache-control': 'private' },
    };
    const handler = guard.secure(
      { route: 'GET /x', auth: publicRoute('x'), headers: securityHeaders(options) },
      () => new Response(),
    );
    const { headers } = await ask(handler, '/x');
    expect(headers.get('strict-transport-security')).toBeNull();
    expect(headers.get('cache-control')).toBe('private');
    expect(headers.get('permissions-policy')).toContain('camera=(self), microphone=(self)');
  });
});

describe('what is thrown', () => {
  const throwing = (error: unknown): FetchHandler =>
    guard.secure({ route: 'GET /x', auth: publicRoute('x') }, () => {
      throw error;
    });

  test.each([
    [new Error('password=hunter2 patient Ada')],
    ['a string'],
    [null],
    [undefined],
    [{ status: 200, message: 'x' }],
  ])('becomes a bare 500 when it is not ours: %s', async (error) => {
    const response = await ask(throwing(error), '/x');
    expect(response.status).toBe(500);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toEqual({
      type: 'https://medzen.dev/problems/internal',
      title: 'Internal error',
      status: 500,
      code: 'internal',
      requestId: response.headers.get('x-request-id'),
    });
    const about = { requestId: response.headers.get('x-request-id'), route: 'GET /x' };
    expect(onError).toHaveBeenCalledWith(error, about);
    expect(logger.error.mock.calls).toEqual([['A request failed', { ...about, code: 'internal' }]]);
  });

  test('becomes a problem document with facts and Retry-After when it is', async () => {
    const error = new MedzenError('held', 'A hold stands', { detail: { until: '2033-01-01' }, retryAfterSeconds: 1.2 });
    const response = await ask(throwing(error), '/x');
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await response.json()).toMatchObject({ code: 'held', status: 409, facts: { until: '2033-01-01' } });
  });

  test('stays a refusal when its facts are not JSON', async () => {
    const response = await ask(throwing(new MedzenError('held', 'x', { detail: { big: 1n } })), '/x');
    expect(response.status).toBe(409);
    expect(await response.json()).not.toHaveProperty('facts');
  });

  test.each([
    ['nothing', undefined],
    ['a body that was read', 'read'],
    ['Response.error()', Response.error()],
    ['plain data', { status: 200 }],
  ])('is not needed for a 500 when the handler answers %s', async (_name, answer) => {
    const used = new Response('x');
    await used.text();
    const given = (answer === 'read' ? used : answer) as Response; // a host without types may answer anything
    const handler = guard.secure({ route: 'GET /x', auth: publicRoute('x') }, () => given);
    const response = await ask(handler, '/x');
    expect([response.status, response.headers.get('content-type')]).toEqual([500, 'application/problem+json']);
    expect([response.headers.get('cache-control'), response.headers.get('vary')]).toEqual(['no-store', 'Origin']);
  });

  test('by the guard itself still answers', async () => {
    const broken = make({
      ids: {
        uuid: () => {
          throw new Error('no entropy');
        },
      },
    });
    const handler = broken.secure({ route: 'GET /x', auth: publicRoute('x') }, () => new Response());
    expect((await ask(handler, '/x')).status).toBe(500);
  });
});

describe('a body', () => {
  const echo = (): FetchHandler =>
    guard.secure(
      { route: 'POST /x', auth: publicRoute('x'), body: json(z.object({ a: z.string() }), { maxBytes: 64 }) },
      (_request, ctx) => Response.json(ctx.body),
    );

  test('that lies about its length is counted as it comes', async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled++;
        controller.enqueue(new Uint8Array(40).fill(32));
      },
    });
    const headers = { 'content-type': 'application/json', 'content-length': '10' };
    const response = await ask(echo(), '/x', { method: 'POST', headers, body: endless });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'body_too_large', facts: { maxBytes: 64 } });
    expect(pulled).toBeLessThan(6);
  });

  test('that admits its length is refused before it is read', async () => {
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({ pull: () => void pulled++ }, { highWaterMark: 0 });
    const headers = { 'content-type': 'application/json', 'content-length': '65' };
    expect((await ask(echo(), '/x', { method: 'POST', headers, body })).status).toBe(413);
    expect(pulled).toBe(0);
  });

  test('that never ends is given up', async () => {
    const slow = make({ bodyDeadlineMs: 20 });
    const handler = slow.secure(
      { route: 'POST /x', auth: publicRoute('x'), body: raw({ maxBytes: 9 }) },
      () => new Response(),
    );
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
    expect((await ask(handler, '/x', { method: 'POST', body })).status).toBe(422);
  });

  test.each([
    [415, { 'content-type': 'text/plain' }, '{}'],
    [415, { 'content-type': '' }, '{}'],
    [415, { 'content-type': 'application/jsonp' }, '{}'],
    [415, { 'content-type': 'application/json; charset=utf-16' }, '{}'],
    [415, { 'content-type': 'application/json', 'content-encoding': 'gzip' }, '{}'],
    [422, { 'content-type': 'application/json' }, '{'],
    [422, { 'content-type': 'application/json' }, '{"a":"x","a":"y"}'],
    [422, { 'content-type': 'application/json' }, '{"__proto__":{"a":"x"}}'],
    [422, { 'content-type': 'application/json' }, '['.repeat(32)],
    [422, { 'content-type': 'application/json' }, ''],
    [200, { 'content-type': 'Application/JSON;charset="UTF-8"' }, '{"a":"x"}'],
    [200, { 'content-type': 'application/json', 'content-encoding': 'identity' }, '{"a":"x"}'],
  ])('is answered %i: %j %s', async (status, headers, body) => {
    expect((await ask(echo(), '/x', { method: 'POST', headers, body })).status).toBe(status);
  });

  test('that does not fit its schema is told by pointer only', async () => {
    const response = await ask(echo(), '/x', asJson({ a: 7, 'Ada Lovelace': 1 }));
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ status: 422, code: 'invalid_input', pointers: ['/a'] });
    expect(text).not.toContain('Ada');
  });

  test('that something read before is a plain mistake of the host', async () => {
    const request = new Request('https://api.example.com/x', asJson({ a: 'x' }) as RequestInit); // the same members
    await request.text();
    expect((await echo()(request)).status).toBe(500);
    expect(logger.error).toHaveBeenCalled();
  });
});

describe('a webhook', () => {
  const verify = vi.fn();
  const hook = (): FetchHandler =>
    guard.secure(
      {
        route: 'POST /hooks/twilio',
        auth: webhook({ name: 'twilio', verify, maxBytes: 64 }),
        body: form(z.object({ RoomSid: z.string() })),
      },
      (_request, ctx) =>
        Response.json({ body: ctx.body, raw: ctx.rawBody.length, actor: ctx.actor, tenant: ctx.scope.tenant }),
    );
  const sent = (body: string): Asked => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  });

  test('is verified over the exact bytes and the public URL before anything parses it', async () => {
    verify.mockReturnValue({ ok: true });
    guard = make({ publicOrigin: 'https://hooks.clinic.example' });
    const response = await ask(hook(), '/hooks/twilio?a=%2F', sent('RoomSid=RM1&x=%00'.slice(0, 11)));
    expect(await response.json()).toEqual({
      body: { RoomSid: 'RM1' },
      raw: 11,
      actor: { id: 'webhook:twilio', type: 'service', roles: ['webhook'], tenant: 'default' },
      tenant: 'default',
    });
    const [seen] = verify.mock.calls[0] ?? [];
    expect(seen.url).toBe('https://hooks.clinic.example/hooks/twilio?a=%2F');
    expect(new TextDecoder().decode(seen.body)).toBe('RoomSid=RM1');
  });

  test('that is forged is refused, unparsed, and written down', async () => {
    verify.mockReturnValue({ ok: false, reason: 'signature_invalid' });
    const response = await ask(hook(), '/hooks/twilio', sent('%%%not a form'));
    expect([response.status, (await response.json()).code]).toEqual([401, 'signature_invalid']);
    expect(await lastEvent()).toMatchObject({
      action: 'webhook.reject',
      outcome: 'denied',
      actor: { id: 'anonymous', type: 'user' },
      target: { type: 'route', id: 'POST /hooks/twilio' },
      detail: { status: 401, code: 'signature_invalid', reason: 'signature_invalid' },
      source: { ip: '192.0.2.7' },
    });
  });

  test('that is too large is refused before its signature is looked at', async () => {
    verify.mockReset();
    expect((await ask(hook(), '/hooks/twilio', sent('x'.repeat(65)))).status).toBe(413);
    expect(verify).not.toHaveBeenCalled();
  });

  test('without a body in the policy hands on the raw bytes', async () => {
    const handler = guard.secure(
      { route: 'POST /h', auth: webhook({ name: 'x', verify: async () => ({ ok: true }) }) },
      (_request, ctx) => new Response(Buffer.from(ctx.body)),
    );
    expect(await (await ask(handler, '/h', { method: 'POST', body: 'raw' })).text()).toBe('raw');
  });
});

describe('denials', () => {
  const route = (): FetchHandler =>
    guard.secure({ route: 'GET /v1/patients/:id', auth, allow: can('recording:start') }, () => new Response('ok'));

  test('of identity and of permission are audited with who, what, why and from where', async () => {
    const first = await ask(route(), '/v1/patients/ada-lovelace', { as: 'bad' });
    expect(first.status).toBe(401);
    expect(first.headers.get('www-authenticate')).toBe('Bearer');
    expect(await first.json()).not.toHaveProperty('reason');
    expect(await lastEvent()).toMatchObject({
      action: 'request.denied',
      kind: 'execute',
      outcome: 'denied',
      actor: { id: 'anonymous' },
      target: { type: 'route', id: 'GET /v1/patients/:id' },
      detail: { status: 401, code: 'unauthenticated', reason: 'expired' },
      source: { ip: '192.0.2.7', requestId: first.headers.get('x-request-id') },
    });
    await ask(route(), '/v1/patients/ada-lovelace', { as: 'p-1:patient:north' });
    const event = await lastEvent('north');
    expect(event).toMatchObject({
      actor: { id: 'p-1', role: 'patient' },
      tenant: 'north',
      detail: { code: 'forbidden' },
    });
    expect(JSON.stringify(event)).not.toContain('lovelace');
  });

  test('of origins are audited, preflights too', async () => {
    const handler = guard.secure(
      { route: 'POST /x', auth, cors: origins('https://app.example.com') },
      () => new Response(),
    );
    await ask(handler, '/x', { method: 'POST', headers: { origin: 'https://evil.example' } });
    expect(await lastEvent()).toMatchObject({ detail: { code: 'origin_not_allowed', status: 403 } });
    await ask(handler, '/x', {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(await lastEvent()).toMatchObject({ detail: { status: 403, reason: 'preflight' } });
  });

  test('by the handler are audited, thrown or answered', async () => {
    const thrown = guard.secure({ route: 'GET /a', auth }, () => {
      throw new MedzenError('consent_required', 'No consent');
    });
    await ask(thrown, '/a', { as: 'u:provider' });
    expect(await lastEvent()).toMatchObject({
      detail: { code: 'consent_required', reason: 'handler' },
      actor: { id: 'u' },
    });
    const answered = guard.secure({ route: 'GET /b', auth }, () => new Response(null, { status: 403 }));
    await ask(answered, '/b', { as: 'u:provider' });
    expect(await lastEvent()).toMatchObject({ detail: { code: 'http_403', reason: 'handler' } });
  });

  test('of one kind are written once a window, the rest counted and flushed', async () => {
    for (let i = 0; i < 100; i++) {
      await ask(route(), '/v1/patients/1', { as: 'bad' });
      clock.advance(100);
    }
    expect(await eventsOf(stores.audit)).toHaveLength(1);
    await ask(route(), '/v1/patients/1', { as: 'bad', ip: '192.0.2.8' });
    expect(await eventsOf(stores.audit)).toHaveLength(2);
    clock.advance(60_000);
    await ask(route(), '/v1/patients/1', { as: 'ok:provider' });
    await vi.waitFor(async () => expect(await eventsOf(stores.audit)).toHaveLength(3));
    expect((await lastEvent())?.detail).toMatchObject({
      count: 99,
      from: '2026-01-15T09:00:00.100Z',
      to: '2026-01-15T09:00:09.900Z',
    });
  });

  test('that are counted are written at shutdown', async () => {
    for (let i = 0; i < 3; i++) await ask(route(), '/v1/patients/1', { as: 'bad' });
    await guard.flush();
    await guard.flush();
    const events = await eventsOf(stores.audit);
    expect(events.map(({ detail }) => detail?.count)).toEqual([undefined, 2]);
  });

  test('stay denials while the audit store is down or hangs, and are written when it is back', async () => {
    for (const append of [() => Promise.reject(new Error('down')), () => new Promise<never>(() => undefined)]) {
      const audit: AuditStore = { ...stores.audit, append: vi.fn(append) };
      const broken = make({ audit, auditDeadlineMs: 10 });
      const handler = broken.secure({ route: 'GET /x', auth }, () => new Response('never'));
      expect((await ask(handler, '/x')).status).toBe(401);
      expect((await ask(handler, '/x')).status).toBe(401);
      expect(audit.append).toHaveBeenCalledTimes(1);
      expect(logger.error).toHaveBeenCalledWith('A denial could not be audited', expect.anything());
      await broken.flush();
      audit.append = stores.audit.append;
      const before = (await eventsOf(stores.audit)).length;
      await broken.flush();
      const events = await eventsOf(stores.audit);
      expect(events.slice(before).map(({ detail }) => detail?.count)).toEqual([2]);
    }
  });

  test('are flushed through waitUntil where there is one', async () => {
    const waited: Promise<unknown>[] = [];
    const info = { remoteAddress: '192.0.2.7', waitUntil: (work: Promise<unknown>) => void waited.push(work) };
    const send = (): Promise<Response> => route()(new Request('https://api.example.com/v1/patients/1'), info);
    await send();
    await send();
    clock.advance(60_000);
    await send();
    expect(waited).toHaveLength(1);
    await Promise.all(waited);
    expect(await eventsOf(stores.audit)).toHaveLength(3);
  });
});

describe('limits', () => {
  const limited = (
    options: { onStoreError?: 'closed' | 'local' } = {},
    by: 'ip' | 'user' | 'tenant' | 'route' = 'user',
  ): FetchHandler =>
    guard.secure(
      { route: 'GET /x', auth, limits: [limit('few', { rate: 2, per: '1m', by, ...options })] },
      () => new Response('ok'),
    );

  test('let the burst through and then answer 429 with header fields that agree', async () => {
    const handler = limited();
    const first = await ask(handler, '/x', { as: 'u:provider' });
    expect(first.headers.get('ratelimit-policy')).toBe('"few";q=2;w=60');
    expect(first.headers.get('ratelimit')).toBe('"few";r=1;t=30');
    await ask(handler, '/x', { as: 'u:provider' });
    const refused = await ask(handler, '/x', { as: 'u:provider' });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('ratelimit')).toBe('"few";r=0;t=30');
    expect(refused.headers.get('retry-after')).toBe('30');
    expect(await lastEvent()).toMatchObject({ action: 'rate_limit.exceeded', detail: { reason: 'few', status: 429 } });
    expect((await ask(handler, '/x', { as: 'other:provider' })).status).toBe(200);
    clock.advance(29_999);
    expect((await ask(handler, '/x', { as: 'u:provider' })).status).toBe(429);
    clock.advance(1);
    expect((await ask(handler, '/x', { as: 'u:provider' })).status).toBe(200);
  });

  test('by ip count a network of IPv6 and both spellings of IPv4 as one client', async () => {
    const handler = limited({}, 'ip');
    const statuses = async (...ips: string[]): Promise<number[]> => {
      const all: number[] = [];
      for (const ip of ips) all.push((await ask(handler, '/x', { as: 'u:provider', ip })).status);
      return all;
    };
    expect(await statuses('2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::3', '2001:db8:0:1::1')).toEqual([
      200, 200, 429, 200,
    ]);
    expect(await statuses('192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201')).toEqual([200, 200, 429]);
  });

  test('by tenant and by route count everyone there', async () => {
    for (const by of ['tenant', 'route'] as const) {
      stores = memoryStores({ clock });
      guard = make();
      const handler = limited({}, by);
      const statuses = [];
      for (const as of ['a:x', 'b:x', 'c:x', 'd:x:other']) statuses.push((await ask(handler, '/x', { as })).status);
      expect(statuses).toEqual([200, 200, 429, 200]);
    }
  });

  test('that are checked twice tell of both, and a refusal of the one that refused', async () => {
    const handler = guard.secure(
      {
        route: 'GET /x',
        auth,
        limits: [limit('net', { rate: 100, per: '1h', by: 'ip' }), limit('one', { rate: 1, per: '10s', by: 'user' })],
      },
      () => new Response(),
    );
    const first = await ask(handler, '/x', { as: 'u:x' });
    expect(first.headers.get('ratelimit-policy')).toBe('"net";q=100;w=3600, "one";q=1;w=10');
    expect(first.headers.get('ratelimit')).toBe('"net";r=99;t=36, "one";r=0;t=10');
    const second = await ask(handler, '/x', { as: 'u:x' });
    expect(second.headers.get('ratelimit')).toBe('"one";r=0;t=10');
    expect(second.headers.get('retry-after')).toBe('10');
  });

  test.each([
    ['down', () => Promise.reject(new Error('down'))],
    ['hanging', () => new Promise<never>(() => undefined)],
    [
      'broken',
      () => {
        throw new Error('at once');
      },
    ],
  ])('whose store is %s close the route with 503, never 429, and say so in the audit log', async (_name, consume) => {
    guard = make({ limits: { ...stores.limits, consume }, limitDeadlineMs: 10 });
    const response = await ask(limited(), '/x', { as: 'u:provider' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await lastEvent()).toMatchObject({ action: 'rate_limit.unavailable', outcome: 'failed' });
  });

  test('whose store is down count in memory where the policy says so', async () => {
    const consume = vi.fn(() => Promise.reject(new Error('down')));
    guard = make({ limits: { ...stores.limits, consume } });
    const handler = limited({ onStoreError: 'local' });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask(handler, '/x', { as: 'u:provider' })).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
    expect(consume, 'the store is not asked again at once').toHaveBeenCalledTimes(1);
    clock.advance(1000);
    await ask(handler, '/x', { as: 'u:provider' });
    expect(consume).toHaveBeenCalledTimes(2);
    await vi.waitFor(async () =>
      expect((await eventsOf(stores.audit)).filter(({ action }) => action === 'rate_limit.unavailable')).toHaveLength(
        1,
      ),
    );
  });

  test('keep addresses and names out of a shared store', async () => {
    const consume = vi.fn(stores.limits.consume);
    guard = make({ limits: { ...stores.limits, consume }, limitSecret: new Uint8Array(32) });
    await ask(limited(), '/x', { as: 'dr-lovelace:provider' });
    expect(JSON.stringify(consume.mock.calls)).not.toContain('lovelace');
    expect(consume.mock.calls[0]?.[1][0]?.key).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('a policy that contradicts itself is refused when it is made', () => {
  const ok = (): Response => new Response();
  const refused = expect.objectContaining({ code: 'invalid_configuration' });
  const user = limit('a', { rate: 1, per: '1m', by: 'user' });

  test('a public route with a rule, a purpose or a limit by user', () => {
    const open = publicRoute('x');
    expect(() => guard.secure({ route: 'GET /x', auth: open, allow: roles('x') }, ok)).toThrow(refused);
    expect(() => guard.secure({ route: 'GET /x', auth: open, purpose: 'TREAT' }, ok)).toThrow(refused);
    expect(() => guard.secure({ route: 'GET /x', auth: open, limits: [user] }, ok)).toThrow(refused);
  });

  test('can() without permissions, limits without a store, two limits of one name', () => {
    const bare = createGuard({ audit: stores.audit });
    expect(() => bare.secure({ route: 'GET /x', auth, allow: can('x') }, ok)).toThrow(refused);
    expect(() => (bare as typeof guard).secure({ route: 'GET /x', auth, limits: [user] }, ok)).toThrow(refused);
    expect(() => guard.secure({ route: 'GET /x', auth, limits: [user, user] }, ok)).toThrow(refused);
  });

  test('a body on GET, a route that is none, auth left out by untyped code', () => {
    expect(() => guard.secure({ route: 'GET /x', auth, body: raw({ maxBytes: 1 }) }, ok)).toThrow(refused);
    expect(() => guard.secure({ route: 'GET /x/:a/:a', auth }, ok)).toThrow(refused);
    expect(() => guard.secure({ route: 'GET /x', auth: undefined as unknown as IdentityAuth }, ok)).toThrow(refused);
  });

  test.each([
    { publicOrigin: 'https://api.example.com/' },
    { publicOrigin: 'api.example.com' },
    { defaultTenant: 'Not A Tenant' },
    { trustedProxies: { hops: 0 } },
    { trustedProxies: { ranges: ['10.0.0.0/33'] } },
    { trustedProxies: { header: '' } },
    { limitSecret: new Uint8Array(31) },
    { limitDeadlineMs: 0 },
    { denialWindowMs: Number.NaN },
  ])('a guard with %j', (deps) => {
    expect(() => make(deps)).toThrow(refused);
  });
});

describe('secure on its own', () => {
  test('takes what it needs as deps', async () => {
    const handler = secure(
      { deps: { audit: stores.audit, clock }, route: 'GET /x/:id', auth },
      (_request, ctx) => new Response(`${ctx.actor.id} ${ctx.params.id}`),
    );
    expect(await (await ask(handler, '/x/7', { as: 'u:x' })).text()).toBe('u 7');
    expect((await ask(handler, '/x/7')).status).toBe(401);
  });
});
