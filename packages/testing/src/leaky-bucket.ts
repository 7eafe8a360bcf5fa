import type { RateLimitDecision, RateLimitRequest } from '@medzen/core';

/**
 * An independent statement of the algorithm: the continuous-state leaky bucket, which ITU-T I.371 Annex A shows to be equivalent to virtual
 * scheduling. A bucket leaks `rate` units a period; a request pours in its cost and passes if the bucket does not flow
 * over. All in whole numbers: the level is kept in units × period milliseconds, so nothing is ever rounded.
 */
export interface LeakyBucket {
  /** What a store must answer now. Does not spend. */
  peek(request: RateLimitRequest, now: number): RateLimitDecision;
  spend(request: RateLimitRequest, now: number): void;
  /** What is left after a spend. */
  rest(request: RateLimitRequest, now: number): Pick<RateLimitDecision, 'remaining' | 'resetMs'>;
}

/** One key's bucket. It stays with one rate and period. */
export function createLeakyBucket(): LeakyBucket {
  let level = 0;
  let at = 0;
  const levelAt = (request: RateLimitRequest, now: number): number => Math.max(0, level - (now - at) * request.rate);
  const rest: LeakyBucket['rest'] = (request, now) => {
    const present = levelAt(request, now);
    return {
      remaining: Math.max(0, Math.floor((request.burst * request.periodMs - present) / request.periodMs)),
      resetMs: Math.ceil(present / request.rate),
    };
  };
  return {
    rest,
    peek: (request, now) => {
      const over = levelAt(request, now) + (request.cost - request.burst) * request.periodMs;
      return {
        allowed: over <= 0,
        retryAfterMs: over <= 0 ? 0 : Math.ceil(over / request.rate),
        ...rest(request, now),
      };
    },
    spend: (request, now) => {
      level = levelAt(request, now) + request.cost * request.periodMs;
      at = now;
    },
  };
}
