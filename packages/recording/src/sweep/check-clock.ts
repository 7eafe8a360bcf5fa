import { MedzenError } from '@medzen/core';
import type { Room } from '../room.ts';

/** Farther than clocks drift, and shorter than any period that a rule counts. */
const toleranceMs = 24 * 60 * 60_000;

/**
 * Refuses to judge deadlines at an instant that the store's clock will not reach for a day: a worker whose clock is years ahead would
 * archive, warn and delete early, and nothing could be put right.
 *
 * @returns the earlier of the two clocks, at which deadlines are judged: a notice is as long by the store's clock, which began it
 * @throws MedzenError `invalid_configuration`; `store_unavailable`
 */
export async function checkClock(room: Pick<Room, 'stores'>, now: Date): Promise<Date> {
  const storeNow = await room.stores.recordings.clock();
  const ahead = now.getTime() - storeNow.getTime();
  // Written so that an invalid date is refused too.
  if (!(ahead <= toleranceMs))
    throw new MedzenError('invalid_configuration', "This process's clock is more than a day ahead of the store's", {
      detail: { aheadSeconds: Math.round(ahead / 1000) },
    });
  return ahead > 0 ? storeNow : now;
}

/**
 * Refuses to tell people a date when the store's clock is more than a day ahead: one of the two is wrong. If it is the store's, the notice
 * that it notes would end as many years late.
 *
 * @throws MedzenError `invalid_configuration`; `store_unavailable`
 */
export async function checkNotBehind(room: Pick<Room, 'stores'>, now: Date): Promise<void> {
  const behind = (await room.stores.recordings.clock()).getTime() - now.getTime();
  if (behind > toleranceMs)
    throw new MedzenError('invalid_configuration', "This process's clock is more than a day behind the store's", {
      detail: { behindSeconds: Math.round(behind / 1000) },
    });
}
