import { memoryStores } from '@medzen/adapters-local';
import { type AuditEvent, type Ids, MedzenError, type RateLimitStore } from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Asked, asJson, ask, auth } from '../test/ask.ts';
import { eventsOf } from '../test/events.ts';
import { createGuard, type Guard } from './guard.ts';
import type { GuardDeps } from './guard-deps.ts';
import {
  can,
  type FetchHandler,
  json,
  limit,
  origins,
  publicRoute,
  purposeHeader,
  roles,
  type SecurityHeadersOptions,
  securityHeaders,
} from './index.ts';

const clock = fakeClock();
let stores: ReturnType<typeof memoryStores>;
let ids: Ids;
let guard: Guard<GuardDeps & { readonly limits: RateLimitStore }>;

function make(more: Partial<GuardDeps> = {}): typeof guard {
  const deps = { audit: stores.audit, limits: stores.limits, clock, ids, random: fakeRandom() };
  // `more` may replace any of them, but takes none away.
  return createGuard({ ...deps, permissions: { provider: ['recording:start'] }, ...(more as object) });
}

beforeEach(() => {
  clock.set('2026-01-15T09:00:00.000Z');
  stores = memoryStores({ clock });
  ids = fakeIds(clock);
  guard = make();
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
