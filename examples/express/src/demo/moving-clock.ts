import type { Clock } from '@medzen/core';

/** A clock that runs, and can be set. */
export interface MovingClock extends Clock {
  set(instant: Date): void;
}

/** @param start - where it begins to run */
export function movingClock(start: Date): MovingClock {
  let base = start.getTime();
  let since = performance.now();
  return {
    now: () => new Date(base + (performance.now() - since)),
    set: (instant) => {
      base = instant.getTime();
      since = performance.now();
    },
  };
}
