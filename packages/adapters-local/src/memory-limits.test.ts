import type { RateLimitDecision, RateLimitRequest, RateLimitStore } from '@medzen/core';
import { type FakeClock, fakeClock } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MemoryLimitsOptions, memoryLimits, type RateLimitOverflow } from './memory-limits.ts';

const scope = { tenant: 'default' };

function policy(key: string, given: Partial<RateLimitRequest> = {}): RateLimitRequest {
  return { key, rate: 1, periodMs: 60_000, burst: 1, cost: 1, ...given };
}

async function one(limits: RateLimitStore, request: RateLimitRequest, tenant = 'default'): Promise<RateLimitDecision> {
  const [decision] = await limits.consume({ tenant }, [request]);
  if (decision === undefined) throw new Error('no decision');
  return decision;
}

interface Setup {
  readonly clock: FakeClock;
  readonly limits: RateLimitStore;
  readonly reports: RateLimitOverflow[];
}

function setup(options: Omit<MemoryLimitsOptions, 'clock' | 'onOverflow'>): Setup {
  const clock = fakeClock();
  const reports: RateLimitOverflow[] = [];
  return { clock, reports, limits: memoryLimits({ ...options, clock, onOverflow: (report) => reports.push(report) }) };
}

describe('memoryLimits when it is full', () => {
  test('frees no blocked key, however many others come', async () => {
    const { limits } = setup({ maxKeys: 50 });
    for (let i = 0; i < 50; i++) expect((await one(limits, policy(`blocked-${i}`))).allowed).toBe(true);
    for (let i = 0; i < 5000; i++) await one(limits, policy(`flood-${i}-${'x'.repeat(i % 7)}`));
    for (let i = 0; i < 50; i++) expect((await one(limits, policy(`blocked-${i}`))).allowed).toBe(false);
  });

  test('lets unseen keys of one prefix share a bucket, and reports it at most once a second', async () => {
    const { limits, reports, clock } = setup({ maxKeys: 10, prefixOf: (key) => key.split(':')[0] ?? '' });
    for (let i = 0; i < 10; i++) await one(limits, policy(`seen:${i}`));
    expect(reports).toEqual([]);
    const answers = [];
    for (const key of ['net1:a', 'net1:b', 'net2:a', 'net2:b']) answers.push((await one(limits, policy(key))).allowed);
    expect(answers).toEqual([true, false, true, false]);
    expect(reports).toEqual([{ keys: 10, shared: 1 }]);
    clock.advance(1000);
    await one(limits, policy('net1:c'));
    expect(reports).toEqual([
      { keys: 10, shared: 1 },
      { keys: 10, shared: 4 },
    ]);
  });

  test('keeps the shared buckets of two tenants apart', async () => {
    const { limits } = setup({ maxKeys: 10 });
    for (let i = 0; i < 10; i++) await one(limits, policy(`seen-${i}`));
    expect((await one(limits, policy('unseen'), 'a')).allowed).toBe(true);
    expect((await one(limits, policy('unseen'), 'b')).allowed).toBe(true);
    expect((await one(limits, policy('unseen'), 'a')).allowed).toBe(false);
  });

  test('gives the place of a key that is not blocked to a new one', async () => {
    const { limits, reports } = setup({ maxKeys: 10 });
    for (let i = 0; i < 100; i++) {
      const decision = await one(limits, policy(`wide-${i}`, { burst: 5 }));
      expect(decision).toMatchObject({ allowed: true, remaining: 4 });
    }
    expect(reports).toEqual([]);
  });

  test('gives the place of a whole key to a new one', async () => {
    const { limits, reports, clock } = setup({ maxKeys: 10 });
    for (let i = 0; i < 100; i++) {
      expect((await one(limits, policy(`k-${i}`))).allowed).toBe(true);
      clock.advance(6001);
    }
    expect(reports).toEqual([]);
  });

  test('takes no place of a key that is asked about in the same call', async () => {
    const { limits } = setup({ maxKeys: 4 });
    for (const key of ['a', 'b', 'c', 'd']) await one(limits, policy(key, { burst: 3 }));
    const decisions = await limits.consume(scope, [policy('a', { burst: 3 }), policy('new', { burst: 3 })]);
    expect(decisions.map(({ remaining }) => remaining)).toEqual([1, 2]);
    expect((await one(limits, policy('a', { burst: 3 }))).remaining).toBe(0);
  });

  test('keeps no key of a call that was refused', async () => {
    const { limits, clock } = setup({ maxKeys: 1000 });
    await one(limits, policy('blocked'));
    for (let i = 0; i < 20; i++) await limits.consume(scope, [policy('blocked'), policy(`new-${i}`)]);
    clock.advance(60_000);
    expect(await limits.cleanup(1000)).toBe(1);
  });

  test('never lets a blocked key pass early, whatever else is asked', async () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 25 }),
      burst: fc.integer({ min: 1, max: 3 }),
      wait: fc.integer({ min: 1000, max: 20_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
        const { limits, clock, reports } = setup({ maxKeys: 8 });
        const blockedUntil = new Map<string, number>();
        for (const { key, burst, wait } of steps) {
          clock.advance(wait);
          const now = clock.now().getTime();
          const before = reports.length;
          const name = `${key}/${burst}`;
          const decision = await one(limits, policy(name, { burst }));
          if ((blockedUntil.get(name) ?? 0) > now) expect(decision.allowed).toBe(false);
          // Answered by its own bucket: from here on it is owed its block.
          if (reports.length === before) blockedUntil.set(name, now + decision.resetMs - (burst - 1) * 60_000);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('memoryLimits', () => {
  test('sweeps whole keys as new ones come in', async () => {
    const { limits, clock } = setup({});
    for (let i = 0; i < 70_000; i++) await limits.consume(scope, [policy(`old-${i}`)]);
    clock.advance(60_000);
    for (let i = 0; i < 70_000; i++) await limits.consume(scope, [policy(`new-${i}`)]);
    expect(await limits.cleanup(100_000)).toBeLessThan(35_000);
    for (const i of [0, 1, 69_999]) expect((await one(limits, policy(`new-${i}`))).allowed).toBe(false);
  });

  test('locks no key for longer than its policy says when the clock is set back', async () => {
    const { limits, clock } = setup({});
    await one(limits, policy('k'));
    clock.advance(-3_600_000);
    expect((await one(limits, policy('k'))).retryAfterMs).toBe(60_000);
    clock.advance(60_000);
    expect((await one(limits, policy('k'))).allowed).toBe(true);
  });

  test.each([0, -1, 1.5, 16_000_001, Number.NaN])('refuses %s keys', (maxKeys) => {
    expect(() => memoryLimits({ maxKeys })).toThrowError('maxKeys');
  });
});
