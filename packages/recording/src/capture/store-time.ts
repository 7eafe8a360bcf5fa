import type { Recording } from '@medzen/core';
import type { CaptureTimes } from '../provider.ts';
import type { Room } from '../room.ts';

/** Clocks that are kept right differ by less: milliseconds. */
const toleranceMs = 5 * 60_000;

/**
 * Present time, for what retention counts from: this process's clock, unless the store's contradicts it by more than five minutes. Then the
 * store's is taken, which all processes share: a recording that says it began eight years ago would be deleted tomorrow.
 *
 * @throws MedzenError `store_unavailable`
 */
export async function storeTime(room: Pick<Room, 'stores' | 'clock' | 'logger'>): Promise<string> {
  const storeNow = await room.stores.recordings.clock();
  const now = room.clock.now();
  const ahead = now.getTime() - storeNow.getTime();
  if (Math.abs(ahead) <= toleranceMs) return now.toISOString();
  room.logger.error("recording: this process's clock contradicts the store's, which was taken", {
    aheadSeconds: Math.round(ahead / 1000),
  });
  return storeNow.toISOString();
}

/**
 * Limits the instant of an event, as reported by others, to the present: a provider's clock may be years ahead. The
 * store is asked only about what is to come by this process's clock.
 *
 * @param at - RFC 3339
 * @throws MedzenError `store_unavailable`
 */
export async function notInFuture(room: Pick<Room, 'stores' | 'clock'>, at: string): Promise<string> {
  if (Date.parse(at) <= room.clock.now().getTime()) return at;
  const storeNow = await room.stores.recordings.clock();
  return Date.parse(at) <= storeNow.getTime() ? at : storeNow.toISOString();
}

/**
 * Finds out when a capture began, from what its provider says about the session, where that contradicts the row: the session began later
 * than the row says, or the row lies in the future. A session that began earlier contradicts nothing: it may be recorded from its middle
 * on. Nor does one that had ended before: then one of two clocks is wrong, and what counts from the earlier would be deleted too early.
 *
 * @param times - the provider's; a start that lies ahead of the store's clock is not believed
 * @param now - by the store's clock
 * @returns RFC 3339; undefined when nothing is to be corrected
 */
export function capturedAt(
  recording: Pick<Recording, 'startedAt' | 'capturedAt'>,
  times: CaptureTimes,
  now: Date,
): string | undefined {
  if (times.startedAt === undefined) return undefined;
  const [said, row] = [Date.parse(times.startedAt), Date.parse(recording.capturedAt ?? recording.startedAt)];
  if (!(said <= now.getTime())) return undefined;
  const wrong = said > row + toleranceMs || row > now.getTime() + toleranceMs;
  return wrong ? new Date(said).toISOString() : undefined;
}

/** True when a capture that began at an instant began long after the row says: longer than clocks differ. */
export function isMuchLater(at: string, { startedAt }: Pick<Recording, 'startedAt'>): boolean {
  return Date.parse(at) > Date.parse(startedAt) + toleranceMs;
}

/** A session lasts no longer: milliseconds. */
const longestSessionMs = 24 * 60 * 60_000;

/**
 * When a session took place, for retention: its start, by the provider where that contradicts ours; but its end, where that lies more than a
 * day later, because then the clock that told the start was wrong, and what counts from too early a day would be deleted too early.
 */
export function tookPlaceAt({
  startedAt,
  capturedAt: began = startedAt,
  endedAt,
}: Pick<Recording, 'startedAt' | 'capturedAt' | 'endedAt'>): string {
  const apart = endedAt === undefined ? 0 : Date.parse(endedAt) - Date.parse(began);
  return endedAt !== undefined && apart > longestSessionMs ? endedAt : began;
}
