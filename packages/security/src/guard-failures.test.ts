import { memoryStores } from '@medzen/adapters-local';
import { type Ids, MedzenError, type RateLimitStore } from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ask, auth } from '../test/ask.ts';
import { createGuard, type Guard } from './guard.ts';
import type { GuardDeps } from './guard-deps.ts';
import { can, type FetchHandler, type IdentityAuth, limit, publicRoute, raw, roles, secure } from './index.ts';

const clock = fakeClock();
let stores: ReturnType<typeof memoryStores>;
let ids: Ids;
let guard: Guard<GuardDeps & { readonly limits: RateLimitStore }>;
const logger = { error: vi.fn(), warn: vi.fn() };
const onError = vi.fn();

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
    expect(logger.error.mock.calls).toEqual([
      ['A request failed', { ...about, code: 'internal', cause: expect.any(String) }],
    ]);
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
