import { MedzenError } from '@medzen/core';
import type { Room } from '../room.ts';

/** Farther than clocks drift, and shorter than any period that a rule counts. */
const toleranceMs = 24 * 60 * 60_000;

/**
 * Refuses to judge deadlines at an instant that the store's clock will not reach for a day: a worker whose clock is years ahead would
 * archive, warn and delete early, and nothing could be put right.
 *
 * @throws MedzenError `invalid_configuration`; `store_unavailable`
 */
export async function checkClock(room: Pick<Room, 'stores'>, now: Date): Promise<void> {
  const ahead = now.getTime() - (await room.stores.recordings.clock()).getTime();
  // Written so that an invalid date is refused too.
  if (!(ahead <= toleranceMs))
    throw new MedzenError('invalid_configuration', "This process's clock is more than a day ahead of the store's", {
      detail: { aheadSeconds: Math.round(ahead / 1000) },
    });
}
