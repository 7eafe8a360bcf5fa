import { MedzenError } from '@medzen/core';
import { type Duration, durationMs } from '../duration.ts';

/** Subject a limit counts by. `user` and `tenant` need authentication. */
export type LimitSubject = 'ip' | 'user' | 'tenant' | 'route';

/** Options of a limit. */
export interface LimitOptions {
  /** Requests per period, 1–1 000 000 000. */
  readonly rate: number;
  /** 1 s to 365 d. */
  readonly per: Duration;
  /** `ip` is checked before the token is looked at, the others after authorisation. */
  readonly by: LimitSubject;
  /** Requests that may come at once, ≥ 1. Default: `rate`. */
  readonly burst?: number;
  /** Units one request costs, 1 to `burst`. Default 1. */
  readonly cost?: number;
  /**
   * When the store is down or slower than its deadline: `closed` (default) answers 503; `local` counts in this
   * process's memory until the store answers again. Never open.
   */
  readonly onStoreError?: 'closed' | 'local';
}

/** A limit, checked and complete. */
export interface Limit {
  readonly name: string;
  readonly rate: number;
  readonly periodMs: number;
  readonly by: LimitSubject;
  readonly burst: number;
  readonly cost: number;
  readonly onStoreError: 'closed' | 'local';
}

/**
 * One rate limit by the generic cell rate algorithm: `burst` requests at once, then one each `per / rate`; an exact
 * `Retry-After`, no boundary at which twice the rate slips through, and a refused request costs nothing.
 *
 * @param name - `a-z`, `0-9`, `-`, `_`; the policy's name in the `RateLimit` header fields
 * @throws MedzenError `invalid_configuration`
 * @see draft-ietf-httpapi-ratelimit-headers-11
 * @example
 * ```ts
 * import { limit } from '@medzen/security';
 * limit('recording-start', { rate: 10, per: '1m', by: 'user', onStoreError: 'closed' });
 * ```
 */
export function limit(name: string, options: LimitOptions): Limit {
  const { rate, per, by, burst = rate, cost = 1, onStoreError = 'closed' } = options;
  const whole = (value: number, top: number): boolean => Number.isInteger(value) && value >= 1 && value <= top;
  const max = 1_000_000_000;
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/.test(name))
    throw new MedzenError('invalid_configuration', `limit name must match /^[a-z0-9][a-z0-9_-]{0,63}$/: ${name}`);
  if (!whole(rate, max) || !whole(burst, max) || !whole(cost, burst))
    throw new MedzenError('invalid_configuration', `Rate, burst or cost of the limit ${name} is out of range`);
  return { name, rate, periodMs: durationMs(per), by, burst, cost, onStoreError };
}
