import type { Clock, RateLimitDecision, RateLimitRequest, RateLimitStore, Scope } from '@medzen/core';

/**
 * Limits in this process's memory, for the time in which the shared store is down. Bounded: when it is full of keys that
 * still owe something, unseen keys share one bucket, so that no blocked key is ever freed by a flood of others.
 *
 * @param maxKeys - ≥ 1
 */
export function createLocalLimits(clock: Clock, maxKeys: number): Pick<RateLimitStore, 'consume'> {
  /** Theoretical arrival time by key, in milliseconds. */
  const arrivals = new Map<string, number>();
  let sweptAt = Number.NEGATIVE_INFINITY;

  const slot = (key: string, now: number): string => {
    if (arrivals.has(key) || arrivals.size < maxKeys) return key;
    // A sweep looks at every key: not more than once a second, however many strangers knock.
    if (Math.abs(now - sweptAt) >= 1000) {
      sweptAt = now;
      for (const [other, at] of arrivals) if (at <= now) arrivals.delete(other);
    }
    return arrivals.size < maxKeys ? key : overflow;
  };

  return {
    consume: async (scope: Scope, requests: readonly RateLimitRequest[]) => {
      const now = clock.now().getTime();
      const next = new Map<string, number>();
      const decisions = requests.map((request) => {
        const key = slot(`${scope.tenant} ${request.key}`, now);
        const { decision, arrival } = decide(request, next.get(key) ?? arrivals.get(key) ?? now, now);
        next.set(key, arrival);
        return decision;
      });
      if (decisions.every((decision) => decision.allowed)) for (const [key, at] of next) arrivals.set(key, at);
      return decisions;
    },
  };
}

const overflow = ' ';

function decide(
  request: RateLimitRequest,
  stored: number,
  now: number,
): { readonly decision: RateLimitDecision; readonly arrival: number } {
  const interval = request.periodMs / request.rate;
  const whole = interval * request.burst;
  // A clock set back must not lock a key out for longer than a full burst takes to refill.
  const present = Math.min(Math.max(stored, now), now + whole);
  const arrival = present + interval * request.cost;
  const wait = arrival - whole - now;
  // Sums of fractions of a millisecond may miss by a hair.
  const allowed = wait <= 1e-6;
  const debt = (allowed ? arrival : present) - now;
  return {
    arrival: allowed ? arrival : present,
    decision: {
      allowed,
      remaining: Math.max(0, Math.floor((whole - debt) / interval + 1e-6)),
      retryAfterMs: allowed ? 0 : Math.ceil(wait),
      resetMs: Math.ceil(debt),
    },
  };
}
