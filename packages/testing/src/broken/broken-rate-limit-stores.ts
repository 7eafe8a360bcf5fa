import { isMedzenError, type RateLimitDecision, type RateLimitStore } from '@medzen/core';
import type { BrokenStore } from '../broken-store.ts';
import type { RateLimitStoreContext } from '../store-context.ts';

type Fault = (good: RateLimitStore, context: RateLimitStoreContext) => Partial<RateLimitStore>;

function broken(id: string, title: string, mustFail: string, fault: Fault): BrokenStore<RateLimitStoreContext> {
  return {
    id: `limit.${id}`,
    title,
    mustFail: `limit.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.limits;
      return { ...context, stores: { ...context.stores, limits: { ...good, ...fault(good, context) } } };
    },
  };
}

const open: RateLimitDecision = { allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 0 };

/** Rate limit stores that must fail `rateLimitStoreCases`. */
export const brokenRateLimitStores: readonly BrokenStore<RateLimitStoreContext>[] = [
  broken('one_more', 'allows one more than the burst', 'burst', (good) => ({
    consume: (scope, requests) =>
      good.consume(
        scope,
        requests.map((request) => ({ ...request, burst: request.burst + 1 })),
      ),
  })),

  broken('always_open', 'allows everything', 'burst', () => ({
    consume: async (_, requests) => requests.map(() => open),
  })),

  broken('fixed_window', 'counts in fixed windows', 'exact.single', (_, { clock }) => {
    const windows = new Map<string, { start: number; used: number }>();
    return {
      consume: async (scope, requests) =>
        requests.map(({ key, rate, periodMs, burst, cost }) => {
          const span = (burst * periodMs) / rate;
          const now = clock.now().getTime();
          const name = `${scope.tenant}:${key}`;
          const window = windows.get(name) ?? { start: now, used: 0 };
          if (now - window.start >= span) Object.assign(window, { start: now, used: 0 });
          const allowed = window.used + cost <= burst;
          if (allowed) window.used += cost;
          windows.set(name, window);
          const resetMs = window.start + span - now;
          return { allowed, remaining: burst - window.used, retryAfterMs: allowed ? 0 : resetMs, resetMs };
        }),
    };
  }),

  broken('charges_refusals', 'charges for requests that it refused', 'refused_costs_nothing', (good) => {
    let debt = 0;
    return {
      consume: async (scope, requests) => {
        const charged = requests.map((request) => ({ ...request, cost: Math.min(request.burst, request.cost + debt) }));
        const decisions = await good.consume(scope, charged);
        if (decisions.some(({ allowed }) => !allowed)) debt++;
        return decisions;
      },
    };
  }),

  broken('ignores_cost', 'takes one unit for every request', 'cost', (good) => ({
    consume: (scope, requests) =>
      good.consume(
        scope,
        requests.map((request) => ({ ...request, cost: 1 })),
      ),
  })),

  broken('whole_seconds', 'rounds to whole seconds', 'exact.single', (good) => ({
    consume: async (scope, requests) =>
      (await good.consume(scope, requests)).map((decision) => ({
        ...decision,
        retryAfterMs: Math.ceil(decision.retryAfterMs / 1000) * 1000,
      })),
  })),

  broken('too_soon', 'names a time to retry that is a millisecond too soon', 'retry_after', (good) => ({
    consume: async (scope, requests) =>
      (await good.consume(scope, requests)).map((decision) => ({
        ...decision,
        retryAfterMs: Math.max(0, decision.retryAfterMs - 1),
      })),
  })),

  broken('each_alone', 'decides on each policy alone', 'all_or_nothing', (good) => ({
    consume: async (scope, requests) => {
      if (requests.length === 0 || requests.length > 16) return good.consume(scope, requests);
      const decisions: RateLimitDecision[] = [];
      for (const request of requests) decisions.push(...(await good.consume(scope, [request])));
      return decisions;
    },
  })),

  broken('own_order', 'answers in the order of the keys', 'order', (good) => ({
    consume: async (scope, requests) =>
      good.consume(
        scope,
        requests.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
      ),
  })),

  broken('loses_the_tenant', 'counts all tenants together', 'tenants', (good, { scope }) => ({
    consume: (_, requests) => good.consume(scope, requests),
  })),

  broken('joins_the_tenant', 'joins tenant and key by a hyphen', 'tenants.joined', (good, { scope }) => ({
    consume: (asked, requests) =>
      good.consume(
        scope,
        requests.map((request) => ({ ...request, key: `${asked.tenant}-${request.key}` })),
      ),
  })),

  broken('folds_case', 'folds the case of keys', 'keys', (good) => ({
    consume: (scope, requests) =>
      good.consume(
        scope,
        requests.map((request) => ({ ...request, key: request.key.toLowerCase() })),
      ),
  })),

  broken('no_bounds', 'allows what is outside its bounds', 'invalid', (good) => ({
    consume: async (scope, requests) => {
      try {
        return await good.consume(scope, requests);
      } catch (error) {
        if (isMedzenError(error) && error.code === 'invalid_input') return requests.map(() => open);
        throw error;
      }
    },
  })),

  broken('not_atomic', 'answers requests that come at once from one look', 'at_once', (good) => {
    const looks = new Map<string, Promise<readonly RateLimitDecision[]>>();
    return {
      consume: (scope, requests) => {
        const key = JSON.stringify([scope.tenant, requests]);
        const look = looks.get(key) ?? good.consume(scope, requests).finally(() => looks.delete(key));
        looks.set(key, look);
        return look;
      },
    };
  }),

  broken('cleans_too_much', 'drops keys that are still blocked', 'cleanup', (good) => {
    let generation = 0;
    return {
      consume: (scope, requests) =>
        good.consume(
          scope,
          requests.map((request) => ({ ...request, key: `${generation}/${request.key}` })),
        ),
      cleanup: (limit) => {
        generation++;
        return good.cleanup(limit);
      },
    };
  }),

  broken('cleans_all', 'drops more keys than it is told', 'cleanup.limit', (good) => ({
    cleanup: async (limit) => {
      await good.cleanup(limit);
      return limit + (await good.cleanup(100_000));
    },
  })),
];
