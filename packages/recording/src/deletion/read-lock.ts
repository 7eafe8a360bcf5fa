import type { ObjectLock, ObjectStore, RecordingLock } from '@medzen/core';
import { type Room, timestamp } from '../room.ts';

/**
 * Asks the object store how versions are locked.
 *
 * @returns the lock that ends last; undefined when none of them is locked now, or the store does not tell
 * @throws MedzenError `store_unavailable`
 */
export async function readLock(
  room: Pick<Room, 'clock'>,
  objects: ObjectStore,
  versions: readonly { readonly key: string; readonly versionId: string }[],
  signal: AbortSignal | undefined,
): Promise<RecordingLock | undefined> {
  let found: RecordingLock | undefined;
  for (const { key, versionId } of versions) {
    const head = await objects.head(key, versionId, signal === undefined ? {} : { signal });
    const lock = lockNow(room, head?.lock);
    if (lock !== undefined && (found === undefined || end(lock) > end(found))) found = lock;
  }
  return found;
}

/** A lock as a row keeps it; undefined when it has ended. */
export function lockNow(room: Pick<Room, 'clock'>, lock: ObjectLock | undefined): RecordingLock | undefined {
  if (lock === undefined) return undefined;
  const { legalHold, mode } = lock;
  const retainUntil =
    lock.retainUntil !== undefined && lock.retainUntil > room.clock.now() ? lock.retainUntil : undefined;
  if (legalHold !== true && retainUntil === undefined) return undefined;
  return {
    checkedAt: timestamp(room),
    ...(retainUntil === undefined ? {} : { lockedUntil: retainUntil.toISOString() }),
    ...(legalHold === true ? { legalHold } : {}),
    ...(retainUntil === undefined || mode === undefined ? {} : { mode }),
  };
}

/** A legal hold has no end. */
function end({ legalHold, lockedUntil }: RecordingLock): number {
  return legalHold === true || lockedUntil === undefined ? Number.POSITIVE_INFINITY : Date.parse(lockedUntil);
}
