import type { RateLimitRequest } from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { structuredList } from '../../test/structured-list.ts';
import type { Duration } from '../duration.ts';
import { limit } from './limit.ts';
import { createLocalLimits } from './local-limits.ts';
import { rateLimit } from './rate-limit.ts';
import { rateLimitFields } from './rate-limit-headers.ts';

const refused = expect.objectContaining({ code: 'invalid_configuration' });
const scope = { tenant: 'default' };

describe('a limit', () => {
  test('has a burst of its rate unless told otherwise, and is closed', () => {
    expect(limit('a', { rate: 10, per: '1m', by: 'ip' })).toEqual({
      name: 'a',
      rate: 10,
      periodMs: 60_000,
      by: 'ip',
      burst: 10,
      cost: 1,
      onStoreError: 'closed',
    });
  });

  test.each([
    { rate: 0 },
    { rate: 1.5 },
    { rate: Number.NaN },
    { rate: 2e9 },
    { burst: 0 },
    { cost: 0 },
    { burst: 2, cost: 3 },
    { per: '0s' },
    { per: '1.5m' },
    { per: '366d' },
    { per: '1w' as Duration },
    { per: '-1m' },
  ] as const)('with %j is refused', (options) => {
    expect(() => limit('a', { rate: 10, per: '1m', by: 'ip', ...options })).toThrow(refused);
  });

  test.each(['', 'A', 'a b', 'a"b', 'é', 'x'.repeat(65), 'a\r\n'])('named %j is refused', (name) => {
    expect(() => limit(name, { rate: 1, per: '1m', by: 'ip' })).toThrow(refused);
  });
});

describe('limits in memory', () => {
  /** The other statement of the algorithm: virtual scheduling (ITU-T I.371), in whole parts of 1/rate of a millisecond. */
  function schedule(request: RateLimitRequest): (now: number) => { readonly allowed: boolean; readonly wait: number } {
    let arrival = 0n;
    const rate = BigInt(request.rate);
    const period = BigInt(request.periodMs);
    return (ms) => {
      const now = BigInt(ms) * rate;
      const next = (arrival > now ? arrival : now) + BigInt(request.cost) * period;
      const early = next - BigInt(request.burst) * period - now;
      if (early <= 0n) arrival = next;
      return { allowed: early <= 0n, wait: early <= 0n ? 0 : Number((early + rate - 1n) / rate) };
    };
  }

  test('decide as virtual scheduling does', async () => {
    const request = fc
      .record({
        rate: fc.integer({ min: 1, max: 50 }),
        periodMs: fc.integer({ min: 1000, max: 100_000 }),
        burst: fc.integer({ min: 1, max: 20 }),
      })
      .chain((part) => fc.integer({ min: 1, max: part.burst }).map((cost) => ({ key: 'k', ...part, cost })));
    await fc.assert(
      fc.asyncProperty(request, fc.array(fc.nat(5000), { maxLength: 60 }), async (asked, steps) => {
        const clock = fakeClock('2026-01-01T00:00:00Z');
        const start = clock.now().getTime();
        const store = createLocalLimits(clock, 100);
        const model = schedule(asked);
        for (const step of steps) {
          clock.advance(step);
          const [decision] = await store.consume(scope, [asked]);
          const expected = model(clock.now().getTime() - start);
          expect([decision?.allowed, decision?.retryAfterMs]).toEqual([expected.allowed, expected.wait]);
          expect(decision?.remaining).toBeGreaterThanOrEqual(0);
          expect(decision?.remaining).toBeLessThanOrEqual(asked.burst);
        }
      }),
    );
  });

  test('charge none when one refuses', async () => {
    const store = createLocalLimits(fakeClock(), 100);
    const request = (key: string, burst: number): RateLimitRequest => ({
      key,
      rate: 1,
      periodMs: 60_000,
      burst,
      cost: 1,
    });
    await store.consume(scope, [request('narrow', 1)]);
    const decisions = await store.consume(scope, [request('wide', 2), request('narrow', 1)]);
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, false]);
    const [wide] = await store.consume(scope, [request('wide', 2)]);
    expect(wide).toMatchObject({ allowed: true, remaining: 1 });
  });

  test('never free a blocked key under a flood of others, which share what is left', async () => {
    const clock = fakeClock();
    const store = createLocalLimits(clock, 10);
    const ask = async (key: string): Promise<boolean | undefined> => {
      const [decision] = await store.consume(scope, [{ key, rate: 1, periodMs: 3_600_000, burst: 1, cost: 1 }]);
      return decision?.allowed;
    };
    expect(await ask('blocked')).toBe(true);
    let passed = 0;
    for (let i = 0; i < 1000; i++) if ((await ask(`flood-${i}`)) === true) passed++;
    expect(passed).toBe(10);
    expect(await ask('blocked')).toBe(false);
    clock.advance(3_600_000);
    expect(await ask('blocked')).toBe(true);
    expect(await ask('newcomer')).toBe(true);
  });

  test('keep tenants apart, and recover from a clock that is set back', async () => {
    const clock = fakeClock();
    const store = createLocalLimits(clock, 10);
    const request = { key: 'k', rate: 1, periodMs: 60_000, burst: 1, cost: 1 };
    await store.consume({ tenant: 'a' }, [request]);
    expect((await store.consume({ tenant: 'b' }, [request]))[0]?.allowed).toBe(true);
    clock.advance(-86_400_000);
    expect((await store.consume({ tenant: 'a' }, [request]))[0]?.retryAfterMs).toBeLessThanOrEqual(60_000);
  });
});

describe('the header fields of limits', () => {
  test.each([
    '"visits";q=30;w=60',
    '"visits";r=29;t=12, "day";r=400;t=3600',
    'visits;q=30',
    '"visits";q=30;w=60;qu="requests";pk=:Y2xpbmlj:',
  ])('are read by a grammar that takes %s', (value) => {
    expect(value).toMatch(structuredList);
  });

  test.each(['', '"a";Q=1', '"a"q=1', '"a";q=', '"a,', 'a b', '"é";q=1', '"a";q=1,'])(
    'are read by a grammar that refuses %j',
    (value) => {
      expect(value).not.toMatch(structuredList);
    },
  );

  test('state policies and what is left as the draft does', () => {
    const limits = [
      limit('visits', { rate: 30, per: '1m', by: 'ip' }),
      limit('day', { rate: 5000, per: '24h', by: 'ip' }),
    ];
    const decisions = [
      { allowed: true, remaining: 29, retryAfterMs: 0, resetMs: 11_200 },
      { allowed: true, remaining: 400, retryAfterMs: 0, resetMs: 3_600_000 },
    ];
    expect(Object.fromEntries(rateLimitFields(limits, decisions))).toEqual({
      'ratelimit-policy': '"visits";q=30;w=60, "day";q=5000;w=86400',
      ratelimit: '"visits";r=29;t=12, "day";r=400;t=3600',
    });
  });

  test('are Structured Fields, and Retry-After is never before t', () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/);
    const part = fc.record({
      rate: fc.integer({ min: 1, max: 1_000_000_000 }),
      remaining: fc.integer({ min: 0, max: 1_000_000 }),
      retryAfterMs: fc.nat(10_000_000),
      resetMs: fc.nat(10_000_000),
      allowed: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { minLength: 1, maxLength: 16 }),
        fc.array(part, { minLength: 16, maxLength: 16 }),
        (names, parts) => {
          const limits = names.map((n, i) => limit(n, { rate: parts[i]?.rate ?? 1, per: '1h', by: 'ip' }));
          const decisions = names.flatMap((_, i) => parts[i] ?? []);
          const fields = Object.fromEntries(rateLimitFields(limits, decisions));
          expect(fields['ratelimit-policy']).toMatch(structuredList);
          expect(fields.ratelimit).toMatch(structuredList);
          const refusal = decisions.some(({ allowed }) => !allowed);
          expect(fields['retry-after'] !== undefined).toBe(refusal);
          const told = [...(fields.ratelimit ?? '').matchAll(/"([^"]+)"/g)].map(([, n]) => n);
          expect(told).toEqual(names.filter((_, i) => !refusal || decisions[i]?.allowed === false));
          if (!refusal) return;
          const times = [...(fields.ratelimit ?? '').matchAll(/t=(\d+)/g)].map(([, t]) => Number(t));
          expect(Math.max(...times)).toBeLessThanOrEqual(Number(fields['retry-after']));
          expect(Number(fields['retry-after'])).toBeGreaterThanOrEqual(1);
          const needed = Math.max(
            ...decisions.filter(({ allowed }) => !allowed).map(({ retryAfterMs }) => retryAfterMs),
          );
          expect(Number(fields['retry-after']) * 1000).toBeGreaterThanOrEqual(needed);
        },
      ),
    );
  });
});

describe('a limiter on its own', () => {
  test('wants a subject for what it counts by, and a secret of 32 bytes', async () => {
    const store = { consume: async () => [], cleanup: async () => 0 };
    const limits = [limit('a', { rate: 1, per: '1m', by: 'user' })];
    await expect(rateLimit({ store }).check({ scope, route: 'GET /', limits, subjects: {} })).rejects.toEqual(refused);
    expect(() => rateLimit({ store, secret: new Uint8Array(31) })).toThrow(refused);
  });

  test('refuses when the store decides on less than it was asked', async () => {
    const store = { consume: async () => [], cleanup: async () => 0 };
    const limits = [limit('a', { rate: 1, per: '1m', by: 'route' })];
    expect((await rateLimit({ store }).check({ scope, route: 'GET /', limits, subjects: {} })).allowed).toBe(false);
  });

  test('bounds its keys however long a subject is', async () => {
    const keys: string[] = [];
    const clock = fakeClock();
    const local = createLocalLimits(clock, 10);
    const store = {
      consume: async (...call: Parameters<typeof local.consume>) => {
        keys.push(...call[1].map(({ key }) => key));
        return local.consume(...call);
      },
      cleanup: async () => 0,
    };
    const limits = [limit('a', { rate: 1, per: '1m', by: 'user' })];
    for (const user of ['x'.repeat(256), 'x'.repeat(257), 'a', '"],"'])
      await rateLimit({ store }).check({ scope, route: 'GET /', limits, subjects: { user } });
    expect(new Set(keys).size).toBe(4);
    expect(Math.max(...keys.map((key) => key.length))).toBeLessThanOrEqual(256);
  });
});
