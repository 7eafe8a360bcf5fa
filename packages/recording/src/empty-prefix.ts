import { MedzenError, type ObjectVersion } from '@medzen/core';
import { backoffMs } from './backoff.ts';
import type { Room } from './room.ts';

/** What became of everything under a prefix. */
export type Emptied =
  | { readonly status: 'empty'; readonly versions: number; readonly bytes: number; readonly provedAt: Date }
  /** Some versions may not be deleted now: retention, hold or permission of the store. What could be deleted is. */
  | { readonly status: 'locked'; readonly versions: number; readonly bytes: number };

/** Versions a call of `deleteVersions` takes. */
const batch = 1000;
/** Passes over the prefix that removed nothing, before it is left to the next sweep. */
const maxIdlePasses = 5;

/**
 * Deletes every version and delete marker under a prefix, by version id, and proves it by a listing that is empty. Unfinished uploads go
 * first: one that finished afterwards would bring the bytes back.
 *
 * @param prefix - ends with a slash, so that it holds one recording and no other
 * @throws MedzenError `store_unavailable` when the store keeps asking for patience; `invalid_input` for a prefix that could reach further
 */
export async function emptyPrefix(
  room: Pick<Room, 'objects' | 'random' | 'sleep' | 'clock'>,
  prefix: string,
  signal?: AbortSignal,
): Promise<Emptied> {
  if (!/^[^/]+\/\d{4}\/\d{2}\/[^/]+\/$/.test(prefix))
    throw new MedzenError('invalid_input', 'Not the prefix of one recording');
  let versions = 0;
  let bytes = 0;
  for (let idle = 0; idle < maxIdlePasses; ) {
    await room.objects.abortUploads(prefix);
    const pass = await deleteOnce(room, prefix);
    versions += pass.deleted;
    bytes += pass.bytes;
    if (pass.seen === 0) return { status: 'empty', versions, bytes, provedAt: room.clock.now() };
    // All that is left is locked: another pass would find the same.
    if (pass.locked > 0 && pass.deleted + pass.transient === 0) return { status: 'locked', versions, bytes };
    if (signal?.aborted === true) break;
    if (pass.deleted > 0) idle = 0;
    else {
      idle += 1;
      await room.sleep(backoffMs(room, idle), signal);
    }
  }
  throw new MedzenError('store_unavailable', 'The object store did not delete everything it was asked to');
}

interface Pass {
  seen: number;
  deleted: number;
  bytes: number;
  locked: number;
  transient: number;
}

/** One pass over all pages: a locked version on the first must not save what lies on the next. */
async function deleteOnce(room: Pick<Room, 'objects'>, prefix: string): Promise<Pass> {
  const pass: Pass = { seen: 0, deleted: 0, bytes: 0, locked: 0, transient: 0 };
  let cursor: string | undefined;
  do {
    const page = await room.objects.listVersions(prefix, { limit: batch, ...(cursor === undefined ? {} : { cursor }) });
    pass.seen += page.versions.length;
    if (page.versions.length > 0) await deletePage(room, page.versions, pass);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pass;
}

async function deletePage(room: Pick<Room, 'objects'>, versions: readonly ObjectVersion[], pass: Pass): Promise<void> {
  const sizes = new Map(versions.map(({ key, versionId, size }) => [`${versionId} ${key}`, size]));
  const { deleted, errors } = await room.objects.deleteVersions(
    versions.map(({ key, versionId }) => ({ key, versionId })),
  );
  pass.deleted += deleted.length;
  for (const { key, versionId } of deleted) pass.bytes += sizes.get(`${versionId} ${key}`) ?? 0;
  for (const { reason } of errors) pass[reason] += 1;
}
