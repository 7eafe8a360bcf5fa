/** Where the time comes from. Injected everywhere, so that tests and the demo can move it. */
export interface Clock {
  /** The present instant. A new `Date` a call; the caller may keep it. */
  now(): Date;
  /**
   * The same instant in milliseconds since 1970, without the `Date`. Only for paths taken millions of times a second, which fall
   * back to `now()` when a clock has none.
   */
  epochMs?(): number;
}

/**
 * The machine's clock.
 *
 * @example
 * ```ts
 * import { systemClock } from '@medzen/core';
 * systemClock.now().toISOString();
 * ```
 */
export const systemClock: Clock = { now: () => new Date(), epochMs: () => Date.now() };
