import type { Clock, RateLimitDecision, RateLimitRequest, RateLimitStore, Scope } from '@medzen/core';

/** What a key owes: a bucket that leaks `rate` units a period. In units × milliseconds, so that nothing is rounded. */
interface Bucket {
  readonly level: number;
  readonly at: number;
  /** When it will be empty. */
  readonly emptyAt: number;
}

/** Where keys that find no room are counted together. No key of a tenant is so short. */
const overflow = ' ';

/**
 * Limits in this process's memory, for the time in which the shared store is down. Bounded: when it is full of keys that
 * still owe something, unseen keys share one bucket, so that no blocked key is ever freed by a flood of others.
 *
 * @param maxKeys - ≥ 1
 */
export function createLocalLimits(clock: Clock, maxKeys: number): Pick<RateLimitStore, 'consume'> {
  const buckets = new Map<string, Bucket>();
  let sweptAt = Number.NEGATIVE_INFINITY;

  const slot = (key: string, now: number): string => {
    if (buckets.has(key) || buckets.size < maxKeys) return key;
    // A sweep looks at every key: not more than once a second, however many strangers knock.
    if (Math.abs(now - sweptAt) >= 1000) {
      sweptAt = now;
      for (const [other, { emptyAt }] of buckets) if (emptyAt <= now) buckets.delete(other);
    }
    return buckets.size < maxKeys ? key : overflow;
  };

  return {
    consume: async (scope: Scope, requests: readonly RateLimitRequest[]) => {
      const now = clock.now().getTime();
      const next = new Map<string, Bucket>();
      const decisions = requests.map((request) => {
        const key = slot(`${scope.tenant} ${request.key}`, now);
        const { decision, bucket } = decide(request, next.get(key) ?? buckets.get(key), now);
        next.set(key, bucket);
        return decision;
      });
      if (decisions.every((decision) => decision.allowed)) for (const [key, bucket] of next) buckets.set(key, bucket);
      return decisions;
    },
  };
}

function decide(
  request: RateLimitRequest,
  stored: Bucket | undefined,
  now: number,
): { readonly decision: RateLimitDecision; readonly bucket: Bucket } {
  const { rate, periodMs, burst, cost } = request;
  // After the clock was set back nothing leaks until it moves on: what is owed stays, and never grows past the burst.
  const elapsed = stored === undefined ? 0 : Math.max(0, now - stored.at);
  const level = Math.max(0, (stored?.level ?? 0) - elapsed * rate);
  const over = level + (cost - burst) * periodMs;
  const allowed = over <= 0;
  const kept = allowed ? level + cost * periodMs : level;
  const resetMs = Math.ceil(kept / rate);
  return {
    bucket: { level: kept, at: now, emptyAt: now + resetMs },
    decision: {
      allowed,
      remaining: Math.max(0, Math.floor((burst * periodMs - kept) / periodMs)),
      retryAfterMs: allowed ? 0 : Math.ceil(over / rate),
      resetMs,
    },
  };
}
