import { MedzenError, type ObjectStore, type ObjectVersion, sha256, toHex } from '@medzen/core';
import { backoffMs } from '../backoff.ts';
import type { Room } from '../room.ts';

/** Outcome for everything under a prefix. */
export type Emptied =
  | { readonly status: 'empty'; readonly provedAt: Date }
  /** Some versions may not be deleted now: retention, hold or permission of the store. What could be deleted is. */
  | { readonly status: 'locked'; readonly locked: readonly ObjectVersion[] }
  /** `note` refused. */
  | { readonly status: 'refused' };

/** Records kept around each call that removes something. */
export interface RemovalNotes {
  /** Durable before the versions are removed. False: they must not be. */
  removing(versions: readonly ObjectVersion[]): Promise<boolean>;
  /** These are known to be there still. */
  kept(versions: readonly ObjectVersion[]): Promise<void>;
}

/** Versions a call of `deleteVersions` takes. */
const batch = 1000;
/** Passes over the prefix that removed nothing, before it is left to the next sweep. */
const maxIdlePasses = 5;
/** Locked versions that are looked at more closely. */
const maxLocked = 10;

/** Tells a version from every other, without naming it: keys may be long. */
export function refOf({ key, versionId }: Pick<ObjectVersion, 'key' | 'versionId'>): string {
  return toHex(sha256(new TextEncoder().encode(`${versionId}\n${key}`)));
}

/** @throws MedzenError `invalid_input` for a prefix that could reach further than one recording */
function checkPrefix(prefix: string): void {
  if (!/^[^/]+\/\d{4}\/\d{2}\/[^/]+\/$/.test(prefix))
    throw new MedzenError('invalid_input', 'objectPrefix must be of the form tenant/yyyy/mm/id/');
}

/** All versions and delete markers under a prefix, page by page. */
export async function* pagesOf(
  objects: ObjectStore,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly ObjectVersion[]> {
  let cursor: string | undefined;
  do {
    const page = await objects.listVersions(prefix, {
      limit: batch,
      ...(cursor === undefined ? {} : { cursor }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (page.versions.length > 0) yield page.versions;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/**
 * Deletes every version and delete marker under a prefix, by version id, and proves it by a listing that is empty. Unfinished uploads go
 * first: one that finished afterwards would bring the bytes back.
 *
 * @param prefix - ends with a slash, so that it holds one recording and no other
 * @param listed - what was just listed, when that was all; saves the first listing
 * @throws MedzenError `store_unavailable` when the store keeps asking for patience; `invalid_input` for a prefix that could reach further;
 * the signal's reason
 */
export async function emptyPrefix(
  room: Pick<Room, 'random' | 'sleep' | 'clock'>,
  objects: ObjectStore,
  prefix: string,
  notes: RemovalNotes,
  signal?: AbortSignal,
  listed?: readonly ObjectVersion[],
): Promise<Emptied> {
  checkPrefix(prefix);
  const stopping = signal === undefined ? {} : { signal };
  let first = listed;
  for (let idle = 0; idle < maxIdlePasses; ) {
    signal?.throwIfAborted();
    await objects.abortUploads(prefix, stopping);
    const pages = first === undefined || first.length === 0 ? pagesOf(objects, prefix, signal) : [first];
    first = undefined;
    const pass = await deleteOnce(objects, pages, notes, signal);
    if (pass === 'refused') return { status: 'refused' };
    if (pass.seen === 0) return { status: 'empty', provedAt: room.clock.now() };
    // All that is left is locked: another pass would find the same.
    if (pass.locked.length > 0 && pass.deleted + pass.transient === 0) return { status: 'locked', locked: pass.locked };
    if (pass.deleted > 0) idle = 0;
    else {
      idle += 1;
      await room.sleep(backoffMs(room, idle), signal);
    }
  }
  signal?.throwIfAborted();
  // What is still listed was not removed: nothing stands in the way of taking the deletion back.
  for await (const versions of pagesOf(objects, prefix, signal)) await notes.kept(versions);
  throw new MedzenError('store_unavailable', 'The object store did not delete everything it was asked to');
}

interface Pass {
  seen: number;
  deleted: number;
  transient: number;
  readonly locked: ObjectVersion[];
}

/** One pass over all pages: a locked version on the first must not save what lies on the next. */
async function deleteOnce(
  objects: ObjectStore,
  pages: AsyncIterable<readonly ObjectVersion[]> | Iterable<readonly ObjectVersion[]>,
  notes: RemovalNotes,
  signal: AbortSignal | undefined,
): Promise<Pass | 'refused'> {
  const pass: Pass = { seen: 0, deleted: 0, transient: 0, locked: [] };
  for await (const versions of pages) {
    pass.seen += versions.length;
    if (!(await notes.removing(versions))) return 'refused';
    const { deleted, errors } = await objects.deleteVersions(
      versions.map(({ key, versionId }) => ({ key, versionId })),
      signal === undefined ? {} : { signal },
    );
    pass.deleted += deleted.length;
    const locked = new Set(errors.filter(({ reason }) => reason === 'locked').map(refOf));
    pass.transient += errors.length - locked.size;
    if (locked.size === 0) continue;
    const kept = versions.filter((version) => locked.has(refOf(version)));
    await notes.kept(kept);
    pass.locked.push(...kept.slice(0, maxLocked - pass.locked.length));
  }
  return pass;
}
