import { type Clock, type Ids, type Random, uuidv7 } from '@medzen/core';
import { fakeClock } from './fake-clock.ts';
import { fakeRandom } from './fake-random.ts';

/**
 * UUIDv7 that always grow: the 12 bits after the version count up, so that ids made while the clock stands still keep their
 * order (RFC 9562 §6.2, method 1). Past 4096 of them the id borrows from the future by a millisecond.
 *
 * @param clock - a fake one of its own when absent
 * @param random - a fake one of its own when absent, and then the ids repeat from run to run
 * @example
 * ```ts
 * import { fakeIds } from '@medzen/testing';
 * const ids = fakeIds();
 * ids.uuid() < ids.uuid(); // true
 * ```
 */
export function fakeIds(clock: Clock = fakeClock(), random: Random = fakeRandom()): Ids {
  let last = -1;
  let count = 0;
  return {
    uuid: () => {
      const now = clock.now().getTime();
      if (now > last) {
        last = now;
        count = 0;
      } else if (++count === 4096) {
        last++;
        count = 0;
      }
      const at = last;
      const id = uuidv7({ now: () => new Date(at) }, random);
      return `${id.slice(0, 15)}${count.toString(16).padStart(3, '0')}${id.slice(18)}`;
    },
  };
}
