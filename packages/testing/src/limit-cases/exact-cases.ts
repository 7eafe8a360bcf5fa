import type { RateLimitRequest } from '@medzen/core';
import { at, holds, present, same } from '../assertions.ts';
import { fakeNumbers } from '../fake-random.ts';
import { createLeakyBucket, type LeakyBucket } from '../leaky-bucket.ts';
import type { RateLimitStoreContext } from '../store-context.ts';
import { define, type LimitCase, one, policy } from './limit-driver.ts';

/** Puts store and model to the same requests. `exact`: every figure must agree; otherwise within a millisecond of rounding. */
async function simulate(
  { stores: { limits }, scope, advance }: RateLimitStoreContext,
  seed: number,
  steps: number,
  policies: readonly RateLimitRequest[],
  exact: boolean,
): Promise<void> {
  const random = fakeNumbers(seed);
  const buckets = new Map<string, LeakyBucket>(policies.map(({ key }) => [key, createLeakyBucket()]));
  const bucket = ({ key }: RateLimitRequest): LeakyBucket => present(buckets.get(key), 'bucket');
  let now = 1_000_000;
  for (let step = 0; step < steps; step++) {
    if (random() < 0.6) {
      const { periodMs, rate } = at(policies, Math.floor(random() * policies.length), 'policy');
      const ms = Math.floor((random() * 2.5 * periodMs) / rate);
      now += ms;
      await advance(ms);
    }
    const asked = policies
      .filter(() => random() < 0.7)
      .map((request) => ({ ...request, cost: 1 + Math.floor(random() * Math.min(3, request.burst)) }));
    if (asked.length === 0) continue;
    if (random() < 0.5) asked.reverse();
    const decisions = await limits.consume(scope, asked);
    const wanted = asked.map((request) => bucket(request).peek(request, now));
    let passed = wanted.every(({ allowed }) => allowed);
    const where = `seed ${seed}, step ${step}, ${JSON.stringify(asked)}`;
    if (exact) {
      if (passed) for (const request of asked) bucket(request).spend(request, now);
      const expected = wanted.map((decision, i) => {
        const request = at(asked, i, 'request');
        return passed ? { ...decision, ...bucket(request).rest(request, now) } : decision;
      });
      same(decisions, expected, where);
      continue;
    }
    for (const [i, request] of asked.entries()) {
      const [early, late] = [bucket(request).peek(request, now - 1), bucket(request).peek(request, now + 1)];
      const decision = at(decisions, i, 'decision');
      if (early.allowed === late.allowed) holds(decision.allowed === early.allowed, `${where}: allowed`);
      const retry = decision.retryAfterMs;
      holds(retry >= late.retryAfterMs && retry <= early.retryAfterMs + 1, `${where}: retryAfterMs ${retry}`);
    }
    // On the boundary the store's rounding decides; from there on the model goes along.
    passed = decisions.every(({ allowed }) => allowed);
    if (passed) for (const request of asked) bucket(request).spend(request, now);
  }
}

/** One policy, then several, against what the algorithm says. */
export const exactCases: readonly LimitCase[] = [
  define('first', 'allows a first request and says what is left', async ({ stores: { limits }, scope }) => {
    const decision = await one(limits, scope, policy('k'));
    same(decision, { allowed: true, remaining: 4, retryAfterMs: 0, resetMs: 6000 }, 'decision');
  }),

  define(
    'burst',
    'allows the burst exactly, and then one an interval',
    async ({ stores: { limits }, scope, advance }) => {
      for (let left = 4; left >= 0; left--) {
        const decision = await one(limits, scope, policy('k'));
        same(
          decision,
          { allowed: true, remaining: left, retryAfterMs: 0, resetMs: (5 - left) * 6000 },
          `with ${left} left`,
        );
      }
      const refused = { allowed: false, remaining: 0, retryAfterMs: 6000, resetMs: 30_000 };
      same(await one(limits, scope, policy('k')), refused, 'the sixth');
      await advance(5999);
      same(
        await one(limits, scope, policy('k')),
        { ...refused, retryAfterMs: 1, resetMs: 24_001 },
        'a millisecond early',
      );
      await advance(1);
      same(await one(limits, scope, policy('k')), { ...refused, allowed: true, retryAfterMs: 0 }, 'in time');
      same(await one(limits, scope, policy('k')), refused, 'and one only');
    },
  ),

  define('refused_costs_nothing', 'moves nothing when it refuses', async ({ stores: { limits }, scope, advance }) => {
    for (let i = 0; i < 5; i++) await one(limits, scope, policy('k'));
    for (let i = 0; i < 20; i++) {
      const decision = await one(limits, scope, policy('k'));
      holds(!decision.allowed && decision.retryAfterMs === 6000, 'a refused request moved the time on');
    }
    await advance(6000);
    holds((await one(limits, scope, policy('k'))).allowed, 'refused requests were charged');
  }),

  define('whole_again', 'has the whole burst again after the reset, never more', async (tools) => {
    const { stores, scope, advance } = tools;
    for (let i = 0; i < 5; i++) await one(stores.limits, scope, policy('k'));
    await advance(30_000);
    holds((await one(stores.limits, scope, policy('k'))).remaining === 4, 'not whole after the reset');
    await advance(30 * 86_400_000);
    holds((await one(stores.limits, scope, policy('k'))).remaining === 4, 'a month saved up more than the burst');
  }),

  define('cost', 'takes the cost at once or not at all', async ({ stores: { limits }, scope, advance }) => {
    same(
      await one(limits, scope, policy('k', { cost: 3 })),
      { allowed: true, remaining: 2, retryAfterMs: 0, resetMs: 18_000 },
      'three of five',
    );
    same(
      await one(limits, scope, policy('k', { cost: 3 })),
      { allowed: false, remaining: 2, retryAfterMs: 6000, resetMs: 18_000 },
      'three of two',
    );
    holds((await one(limits, scope, policy('k', { cost: 2 }))).allowed, 'two of two');
    await advance(30_000);
    holds((await one(limits, scope, policy('k', { cost: 5 }))).allowed, 'the whole burst at once');
  }),

  define(
    'retry_after',
    'lets the request pass after exactly the time it gave',
    async ({ stores: { limits }, scope, advance }) => {
      const random = fakeNumbers(20_260_115);
      const request = policy('k', { rate: 4, periodMs: 1000, burst: 3 });
      for (let round = 0; round < 25; round++) {
        const asked = { ...request, cost: 1 + Math.floor(random() * 3) };
        const decision = await one(limits, scope, asked);
        if (decision.allowed) continue;
        await advance(decision.retryAfterMs - 1);
        holds(!(await one(limits, scope, asked)).allowed, 'it passed a millisecond before the time it gave');
        await advance(1);
        holds((await one(limits, scope, asked)).allowed, 'it did not pass at the time it gave');
      }
    },
  ),

  define('exact.single', 'agrees with an exact leaky bucket in every figure', async (tools) => {
    for (const [i, interval] of [1, 7, 250, 6000].entries()) {
      const rate = [1000, 3, 4, 10][i] ?? 1;
      const key = `simulated-${interval}`;
      const policies = [{ key, rate, periodMs: rate * interval, burst: 1 + 3 * i, cost: 1 }];
      await simulate(tools, 100 + i, 60, policies, true);
    }
  }),

  define('exact.several', 'agrees with exact leaky buckets when several policies are asked at once', async (tools) => {
    const policies = [
      { key: 'per-second', rate: 5, periodMs: 1000, burst: 5, cost: 1 },
      { key: 'per-minute', rate: 60, periodMs: 60_000, burst: 10, cost: 1 },
      { key: 'slow', rate: 1, periodMs: 3000, burst: 3, cost: 1 },
    ];
    for (const seed of [1, 2]) {
      const own = policies.map((policy) => ({ ...policy, key: `${policy.key}-${seed}` }));
      await simulate(tools, seed, 120, own, true);
    }
  }),

  define(
    'exact.fractions',
    'stays within a millisecond when the interval is no whole number of them',
    async (tools) => {
      const policies = [
        { key: 'sevenths', rate: 7, periodMs: 1000, burst: 7, cost: 1 },
        { key: 'thirds', rate: 3, periodMs: 1000, burst: 4, cost: 1 },
      ];
      await simulate(tools, 3, 150, policies, false);
    },
  ),
];
