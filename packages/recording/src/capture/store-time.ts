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

/** A session lasts no longer: milliseconds. */
const longestSessionMs = 24 * 60 * 60_000;

/**
 * When a session took place, for retention: its start; but its end, where that lies more than a day later, because then the clock that told
 * the start was wrong, and what counts from too early a day would be deleted too early.
 */
export function tookPlaceAt({
  startedAt,
  endedAt,
}: {
  readonly startedAt: string;
  readonly endedAt?: string | undefined;
}): string {
  const apart = endedAt === undefined ? 0 : Date.parse(endedAt) - Date.parse(startedAt);
  return endedAt !== undefined && apart > longestSessionMs ? endedAt : startedAt;
}
