import { memoryStores } from '@medzen/adapters-local';
import type { AuditEvent, Ids, RateLimitStore } from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ask, auth, patiently } from '../test/ask.ts';
import { eventsOf } from '../test/events.ts';
import { createGuard, type Guard } from './guard.ts';
import type { GuardDeps } from './guard-deps.ts';
import { type FetchHandler, limit } from './index.ts';

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
  vi.clearAllMocks();
});

async function lastEvent(tenant = 'default'): Promise<AuditEvent | undefined> {
  return (await eventsOf(stores.audit, tenant)).at(-1);
}

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
    const told = async () => (await eventsOf(stores.audit)).filter(({ action }) => action === 'rate_limit.unavailable');
    await vi.waitFor(async () => expect(await told()).toHaveLength(1), patiently);
  });

  test('keep addresses and names out of a shared store', async () => {
    const consume = vi.fn(stores.limits.consume);
    guard = make({ limits: { ...stores.limits, consume }, limitSecret: new Uint8Array(32) });
    await ask(limited(), '/x', { as: 'dr-lovelace:provider' });
    expect(JSON.stringify(consume.mock.calls)).not.toContain('lovelace');
    expect(consume.mock.calls[0]?.[1][0]?.key).toMatch(/^[0-9a-f]{64}$/);
  });
});
