import {
  MedzenError,
  type RateLimitDecision,
  type RateLimitRequest,
  type RateLimitStore,
  type Scope,
  type Wire,
} from '@medzen/core';
import { resultIn } from '../row.ts';

/** Rate limits. Always on the root wire: a host's transaction must neither hold a key's row nor give a refused one back. */
export function rateLimitStore(wire: Wire): RateLimitStore {
  const { root } = wire;
  return {
    async consume(scope: Scope, requests: readonly RateLimitRequest[]): Promise<readonly RateLimitDecision[]> {
      check(requests);
      const json = requests.map(({ key, rate, periodMs, burst, cost }) => ({ key, rate, periodMs, burst, cost }));
      const rows = await root.call('consume_limits', { tenant: scope.tenant, requests: { json } });
      return resultIn(rows) as unknown as readonly RateLimitDecision[]; // as medzen.limit_decision builds them
    },

    async cleanup(limit: number): Promise<number> {
      if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
        throw new MedzenError('invalid_input', 'limit must be an integer from 1 to 100,000');
      return Number(resultIn(await root.call('cleanup_rate_limits', { limit })));
    },
  };
}

function check(requests: readonly RateLimitRequest[]): void {
  if (requests.length < 1 || requests.length > 16) refuse('1 to 16 policies');
  for (const { key, rate, periodMs, burst, cost } of requests) {
    if (key.length < 1 || key.length > 512) refuse('a key of 1 to 512 characters');
    // Negated, so that NaN is refused too.
    if (!(rate >= 1 && periodMs >= 1 && burst >= 1 && cost >= 1 && cost <= burst))
      refuse('rate, period, burst and cost of at least 1, the cost within the burst');
  }
  if (new Set(requests.map(({ key }) => key)).size !== requests.length) refuse('distinct keys');
}

function refuse(what: string): never {
  throw new MedzenError('invalid_input', `Rate limit: ${what}`);
}
