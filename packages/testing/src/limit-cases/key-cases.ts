import type { RateLimitRequest, RateLimitStore } from '@medzen/core';
import { fail, holds, present, rejects, same } from '../assertions.ts';
import { define, type LimitCase, one, policy } from './limit-driver.ts';

/** Several policies, keys, tenants, bounds, requests at once, and clearing up. */
export const keyCases: readonly LimitCase[] = [
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
