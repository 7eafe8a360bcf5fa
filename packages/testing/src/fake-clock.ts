import type { Clock } from '@medzen/core';

/** A clock that stands still until it is moved. */
export interface FakeClock extends Clock {
  /** Moves to an instant, backwards too. */
  set(instant: Date | string): void;
  /** Moves on. @param ms - milliseconds; negative moves back */
  advance(ms: number): void;
}

/**
 * A clock for tests.
 *
 * @param start - where it stands; 2026-01-15T09:00:00.000Z when absent
 * @throws RangeError when that is no instant
 * @example
 * ```ts
 * import { fakeClock } from '@medzen/testing';
 * const clock = fakeClock('2026-01-01T00:00:00Z');
 * clock.advance(60_000);
 * clock.now().toISOString(); // '2026-01-01T00:01:00.000Z'
 * ```
 */
export function fakeClock(start: Date | string = '2026-01-15T09:00:00.000Z'): FakeClock {
  const read = (instant: Date | string): number => {
    const ms = new Date(instant).getTime();
    if (Number.isNaN(ms)) throw new RangeError('Not an instant');
    return ms;
  };
  let now = read(start);
  return {
    now: () => new Date(now),
    set: (instant) => {
      now = read(instant);
    },
    advance: (ms) => {
      now += ms;
    },
  };
}
