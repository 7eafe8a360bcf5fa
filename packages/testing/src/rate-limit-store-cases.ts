import type { RateLimitDecision, RateLimitRequest, RateLimitStore, Scope } from '@medzen/core';
import { at, fail, holds, present, rejects, same } from './assertions.ts';
import type { ContractCase } from './contract.ts';
import { caseDefiner, type DefineCase } from './define-case.ts';
import { fakeNumbers } from './fake-random.ts';
import { createLeakyBucket, type LeakyBucket } from './leaky-bucket.ts';
import type { RateLimitStoreContext } from './store-context.ts';

type Case = ContractCase<RateLimitStoreContext>;

const define: DefineCase<RateLimitStoreContext> = caseDefiner('limit');

/** Ten a minute, five at once. */
function policy(key: string, given: Partial<RateLimitRequest> = {}): RateLimitRequest {
  return { key, rate: 10, periodMs: 60_000, burst: 5, cost: 1, ...given };
}

async function one(limits: RateLimitStore, scope: Scope, request: RateLimitRequest): Promise<RateLimitDecision> {
  const decisions = await limits.consume(scope, [request]);
  holds(decisions.length === 1, `${decisions.length} decisions for one request`);
  return at(decisions, 0, 'decision');
}

const exactness: readonly Case[] = [
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
];

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

const simulations: readonly Case[] = [
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

const several: readonly Case[] = [
  define('all_or_nothing', 'spends from none unless all allow', async ({ stores: { limits }, scope }) => {
    const wide = policy('wide', { burst: 5 });
    const narrow = policy('narrow', { burst: 1 });
    same(
      (await limits.consume(scope, [wide, narrow])).map(({ allowed, remaining }) => [allowed, remaining]),
      [
        [true, 4],
        [true, 0],
      ],
      'both pass',
    );
    for (let i = 0; i < 10; i++) {
      const [first, second] = await limits.consume(scope, [wide, narrow]);
      same(first, { allowed: true, remaining: 4, retryAfterMs: 0, resetMs: 6000 }, 'the one that would pass');
      same(second, { allowed: false, remaining: 0, retryAfterMs: 6000, resetMs: 6000 }, 'the one that refuses');
    }
    holds((await one(limits, scope, wide)).remaining === 3, 'a refused call spent from the policy that allowed');
  }),

  define('order', 'gives the decisions in the order of the requests', async ({ stores: { limits }, scope }) => {
    const requests = Array.from({ length: 16 }, (_, i) => policy(`k${15 - i}`, { burst: i + 1 }));
    const decisions = await limits.consume(scope, requests);
    same(
      decisions.map(({ remaining }) => remaining),
      requests.map((_, i) => i),
      'remaining',
    );
  }),

  define('keys', 'keeps keys apart, whatever they are made of', async ({ stores: { limits }, scope }) => {
    const keys = [
      'a',
      'A',
      'a ',
      'á',
      'a\u0301',
      "a'",
      'a"',
      'a\\',
      'a%',
      'a_',
      'a:b',
      'a|b',
      '__proto__',
      'constructor',
      'x'.repeat(512),
    ];
    for (const key of keys) {
      const decision = await one(limits, scope, policy(key, { burst: 1 }));
      holds(decision.allowed, `the key ${JSON.stringify(key).slice(0, 20)} was taken for another`);
    }
    for (const key of keys) {
      const decision = await one(limits, scope, policy(key, { burst: 1 }));
      holds(!decision.allowed, `the key ${JSON.stringify(key).slice(0, 20)} was not found again`);
    }
  }),

  define('tenants', 'never lets the keys of two tenants meet', async ({ stores: { limits }, scope, otherScope }) => {
    for (let i = 0; i < 5; i++) await one(limits, scope, policy('k'));
    holds((await one(limits, otherScope, policy('k'))).remaining === 4, "another tenant's requests were counted");
    holds(!(await one(limits, scope, policy('k'))).allowed, "another tenant's request gave back");
  }),

  define(
    'tenants.joined',
    'keeps tenant and key apart however the two could be joined',
    async ({ stores: { limits } }) => {
      for (const mark of ['-', '_', '']) {
        await one(limits, { tenant: 'a' }, policy(`b${mark}k`, { burst: 1 }));
        const decision = await one(limits, { tenant: `a${mark}b` }, policy('k', { burst: 1 }));
        holds(decision.allowed, `joined by ${JSON.stringify(mark)}`);
      }
    },
  ),

  define('invalid', 'refuses what is outside its bounds, and spends nothing', async ({ stores: { limits }, scope }) => {
    const good = policy('k');
    const wrong: readonly (readonly [string, readonly RateLimitRequest[]])[] = [
      ['no requests', []],
      ['17 requests', Array.from({ length: 17 }, (_, i) => policy(`k${i}`))],
      ['a key twice', [good, policy('other'), good]],
      ['an empty key', [good, policy('')]],
      ['a key too long', [good, policy('x'.repeat(513))]],
      ['rate 0', [good, policy('o', { rate: 0 })]],
      ['a negative rate', [good, policy('o', { rate: -1 })]],
      ['period 0', [good, policy('o', { periodMs: 0 })]],
      ['burst 0', [good, policy('o', { burst: 0 })]],
      ['cost 0', [good, policy('o', { cost: 0 })]],
      ['a negative cost', [good, policy('o', { cost: -1 })]],
      ['a cost past the burst', [good, policy('o', { cost: 6 })]],
      ['not a number', [good, policy('o', { cost: Number.NaN })]],
    ];
    for (const [what, requests] of wrong) await rejects(limits.consume(scope, requests), 'invalid_input', what);
    holds((await one(limits, scope, good)).remaining === 4, 'a refused call spent something');
  }),

  define(
    'at_once',
    'allows exactly the burst to requests that come at the same time',
    async ({ stores: { limits }, scope }) => {
      const decisions = await Promise.all(
        Array.from({ length: 40 }, () => one(limits, scope, policy('k', { burst: 12 }))),
      );
      const allowed = decisions.filter((decision) => decision.allowed);
      holds(allowed.length === 12, `${allowed.length} of a burst of 12 were allowed`);
      same(
        allowed.map(({ remaining }) => remaining).toSorted((a, b) => a - b),
        Array.from({ length: 12 }, (_, i) => i),
        'remaining',
      );
    },
  ),

  define(
    'at_once.crosswise',
    'neither hangs nor overspends when two keys are asked for in either order',
    async ({ stores: { limits }, scope }) => {
      const a = policy('a', { burst: 10 });
      const b = policy('b', { burst: 10 });
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, i) => limits.consume(scope, i % 2 === 0 ? [a, b] : [b, a])),
      );
      const passed = answers.filter((decisions) => decisions.every(({ allowed }) => allowed)).length;
      holds(passed === 10, `${passed} of a burst of 10 were allowed`);
    },
  ),
];

const cleanup: readonly Case[] = [
  define(
    'cleanup',
    'drops keys whose burst is whole again, and no others',
    async ({ stores: { limits }, scope, otherScope, advance }) => {
      for (let i = 0; i < 3; i++) await one(limits, scope, policy(`old-${i}`));
      await one(limits, otherScope, policy('old'));
      await advance(5999);
      holds((await limits.cleanup(100)) === 0, 'a key went before its burst was whole');
      await one(limits, scope, policy('young', { burst: 1 }));
      await advance(2);
      const dropped = await drain(limits, 100);
      // Stores may have dropped some on their own.
      holds(dropped <= 4, `${dropped} of 4 keys went`);
      holds(!(await one(limits, scope, policy('young', { burst: 1 }))).allowed, 'a spent key was freed');
      holds((await one(limits, scope, policy('old-0'))).remaining === 4, 'an old key is not whole');
    },
  ),

  define('cleanup.limit', 'drops at most as many as it is told', async ({ stores: { limits }, scope, advance }) => {
    for (let i = 0; i < 5; i++) await one(limits, scope, policy(`k${i}`));
    await advance(60_000);
    const first = await limits.cleanup(2);
    holds(first === 2, `${first} went, not 2`);
    holds((await drain(limits, 2)) === 3, 'the others did not go');
    for (const limit of [0, -1, 100_001]) await rejects(limits.cleanup(limit), 'invalid_input', `limit ${limit}`);
  }),

  define(
    'outage',
    'answers store_unavailable while it is down, and has spent nothing',
    async ({ stores: { limits }, scope, outage }) => {
      const restore = await present(outage, 'outage')();
      try {
        await rejects(limits.consume(scope, [policy('k')]), 'store_unavailable', 'consume');
        await rejects(limits.cleanup(1), 'store_unavailable', 'cleanup');
      } finally {
        await restore();
      }
      holds((await one(limits, scope, policy('k'))).remaining === 4, 'something was spent');
    },
    ['outage'],
  ),
];

async function drain(limits: RateLimitStore, limit: number): Promise<number> {
  let total = 0;
  for (let rounds = 0; rounds < 100; rounds++) {
    const dropped = await limits.cleanup(limit);
    holds(dropped <= limit, `${dropped} went, more than ${limit}`);
    total += dropped;
    if (dropped === 0) return total;
  }
  return fail('cleanup never comes to an end');
}

/** What every `RateLimitStore` must do. */
export const rateLimitStoreCases: readonly ContractCase<RateLimitStoreContext>[] = [
  ...exactness,
  ...simulations,
  ...several,
  ...cleanup,
];
