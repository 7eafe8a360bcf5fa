import {
  type Clock,
  hmacSha256,
  isMedzenError,
  MedzenError,
  type RateLimitDecision,
  type RateLimitRequest,
  type RateLimitStore,
  type Scope,
  sha256,
  systemClock,
  toHex,
  withDeadline,
} from '@medzen/core';
import type { Limit, LimitSubject } from './limit.ts';
import { createLocalLimits } from './local-limits.ts';
import { type HeaderFields, rateLimitFields } from './rate-limit-headers.ts';

/** Dependencies of a rate limiter. */
export interface RateLimitDeps {
  readonly store: RateLimitStore;
  readonly clock?: Clock;
  /** Keys are HMACed with it before they reach the store. ≥ 32 bytes. */
  readonly secret?: Uint8Array;
  /** Deadline of the store, ms. Default 500. */
  readonly deadlineMs?: number;
  /** Keys counted in memory while the store is down. Default 10 000. */
  readonly localKeys?: number;
}

/** One request before the limits. */
export interface RateLimitCheck {
  readonly scope: Scope;
  /** The route's template. */
  readonly route: string;
  /** Distinct names, at most 16. */
  readonly limits: readonly Limit[];
  /** Subject to count for each kind of limit. */
  readonly subjects: Readonly<Partial<Record<LimitSubject, string>>>;
}

/** The limits' verdict. */
export interface RateLimitVerdict {
  readonly allowed: boolean;
  /** Names of the limits that refused. */
  readonly refusedBy: readonly string[];
  /** For the answer, refused or not. */
  readonly fields: HeaderFields;
  /** Set when the store did not answer and memory decided. */
  readonly degraded?: unknown;
}

/** Checks limits together: unless all allow, none is charged. */
export interface RateLimiter {
  /**
   * @throws MedzenError `store_unavailable` when the store is down or late and one of the limits is `closed`; `invalid_configuration`,
   * `migration_missing` and the like as the store throws them, whatever the limits say
   */
  check(check: RateLimitCheck): Promise<RateLimitVerdict>;
}

/** While the store is down, `local` limits ask it again after this time only. */
const retryStoreAfterMs = 1000;
const encoder = new TextEncoder();

/**
 * Rate limits, alone: for the pipeline of another framework.
 *
 * @throws MedzenError `invalid_configuration`
 * @example
 * ```ts
 * import type { RateLimitStore } from '@medzen/core';
 * import { limit, rateLimit } from '@medzen/security';
 * declare const store: RateLimitStore;
 * const limiter = rateLimit({ store });
 * const limits = [limit('login', { rate: 5, per: '1m', by: 'ip' })];
 * const verdict = await limiter.check({
 *   scope: { tenant: 'default' }, route: 'POST /login', limits, subjects: { ip: '192.0.2.7' },
 * });
 * verdict.allowed; // true
 * ```
 */
export function rateLimit(deps: RateLimitDeps): RateLimiter {
  const { store, secret, clock = systemClock, deadlineMs = 500 } = deps;
  if (secret !== undefined && secret.length < 32)
    throw new MedzenError('invalid_configuration', 'The secret of the limit keys needs 32 bytes');
  const local = createLocalLimits(clock, deps.localKeys ?? 10_000);
  let downSince = Number.NEGATIVE_INFINITY;

  return {
    check: async ({ scope, route, limits, subjects }) => {
      if (limits.length === 0) return { allowed: true, refusedBy: [], fields: [] };
      const requests = limits.map((limit): RateLimitRequest => {
        const { rate, periodMs, burst, cost } = limit;
        return { key: keyOf(limit, route, subjects[limit.by], secret), rate, periodMs, burst, cost };
      });
      const onlyLocal = limits.every((limit) => limit.onStoreError === 'local');
      let decisions: readonly RateLimitDecision[];
      let degraded: unknown;
      try {
        if (onlyLocal && Math.abs(clock.now().getTime() - downSince) < retryStoreAfterMs)
          throw new MedzenError('store_unavailable', 'The limit store was down a moment ago');
        const limit = { ms: deadlineMs, what: 'The limit store' };
        decisions = await withDeadline(limit, async () => store.consume(scope, requests));
      } catch (cause) {
        // A missing migration, a refused login, a bug: waiting mends none of these, so that nobody is told to retry.
        if (isMedzenError(cause) && !cause.retryable) throw cause;
        if (!onlyLocal)
          throw new MedzenError('store_unavailable', 'Limits cannot be checked now', { cause, retryAfterSeconds: 1 });
        if (Math.abs(clock.now().getTime() - downSince) >= retryStoreAfterMs) downSince = clock.now().getTime();
        degraded = cause;
        decisions = await local.consume(scope, requests);
      }
      const refusedBy = limits.filter((_, i) => decisions[i]?.allowed !== true).map((limit) => limit.name);
      return {
        allowed: refusedBy.length === 0,
        refusedBy,
        fields: rateLimitFields(limits, decisions),
        ...(degraded === undefined ? {} : { degraded }),
      };
    },
  };
}

/** A key of bounded length; plain only where no secret was given and the parts are short. */
function keyOf(limit: Limit, route: string, subject: string | undefined, secret: Uint8Array | undefined): string {
  if (subject === undefined && limit.by !== 'route')
    throw new MedzenError('invalid_configuration', `The limit ${limit.name} has no ${limit.by} to count by`);
  const plain = JSON.stringify([limit.name, route, limit.by, subject ?? '']);
  if (secret !== undefined) return toHex(hmacSha256(secret, encoder.encode(plain)));
  return plain.length <= 256 ? plain : toHex(sha256(encoder.encode(plain)));
}
