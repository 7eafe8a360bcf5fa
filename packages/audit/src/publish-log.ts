import { equalBytes, type LogStore, MedzenError } from '@medzen/core';
import { readTreeHead, type TreeHead } from './checkpoint.ts';
import { verifyConsistency } from './consistency-proof.ts';
import { formatEntryBundle } from './entry-bundle.ts';
import { wellFormedNote } from './signed-note.ts';
import { checkpointPath, tilePath } from './tile-path.ts';
import { createTileReader, type TileReader } from './tile-reader.ts';
import type { TileTarget } from './tile-storage.ts';
import { epochOf, linkEpochs, targetWithin } from './tiles/epochs.ts';
import { createTreeHasher, hashBytes, tileWidth } from './tree-hasher.ts';
import { endedBy } from './verify/until-aborted.ts';

/** Options of a publication: the log, and the target. */
export interface PublishLogOptions {
  readonly store: LogStore;
  readonly target: TileTarget;
  /**
   * True when the events themselves are published. They name people: only to a target as well guarded as the database.
   * Without them (the default) nothing but hashes leaves it, which suffices for witnesses, for proofs, and to show that
   * nothing was rewritten. Wanted later, the older ones follow, oldest first; a bundle of which an event was purged
   * stays away.
   */
  readonly entries?: boolean;
  /** The newest checkpoint to publish, with its cosignatures; the head's when absent. */
  readonly checkpoint?: string;
  /** Ends it with its reason, while the store or the target does not answer too. */
  readonly signal?: AbortSignal;
}

/** Result of a publication. */
export interface Published {
  /** Leaves published before, and now. */
  readonly from: number;
  readonly size: number;
  /** Files written, the checkpoint included; 0 when nothing had changed. */
  readonly files: number;
  /** Folder below the target: '' until a rebase, then one for each origin. */
  readonly folder: string;
}

/**
 * Publishes the log as static files in the layout of C2SP tlog-tiles: any number of readers verify from them, and under Object Lock they are out
 * of reach of whoever runs the database. The checkpoint is written last, so a reader, or a crash, never meets a checkpoint whose tiles are missing;
 * the next call goes on where the last one ended. After a rebase the files of the old origin stay as they are, beside them stands where the log goes on
 * (`successor`), and the new origin has a folder of its own. Several may publish at once: in the worst case the checkpoint is for one call that of the slower one.
 *
 * @throws MedzenError `checkpoint_inconsistent` when the target holds another log, a larger one, or other bytes where ours should be;
 * `invalid_input` for a checkpoint that is none; `store_unavailable`
 * @see C2SP tlog-tiles
 * @example
 * ```ts
 * import { objectTiles, publishLog } from '@medzen/audit';
 * import type { LogStore, ObjectStore } from '@medzen/core';
 * async function everyMinute(store: LogStore, objects: ObjectStore): Promise<void> {
 *   await publishLog({ store, target: objectTiles(objects, 'audit-log/') });
 * }
 * ```
 */
export async function publishLog(given: PublishLogOptions): Promise<Published> {
  const { signal } = given;
  const options = { ...given, store: endedBy(signal, given.store), target: endedBy(signal, given.target) };
  const checkpoint = options.checkpoint ?? (await storedNote(options.store));
  const head = checkpoint === undefined ? undefined : readTreeHead(checkpoint);
  if (checkpoint !== undefined && head === undefined)
    throw new MedzenError('invalid_input', 'checkpoint must be a signed checkpoint of this log');
  if (head === undefined) return { ...(await publishEpoch(options, undefined)), folder: '' };
  const folder = epochOf(head);
  const published = await publishEpoch({ ...options, target: targetWithin(options.target, folder) }, head.origin);
  return { ...published, files: published.files + (await linkEpochs(options.target, head)), folder };
}

/** The files of one origin: another rebase may have come since the folder was chosen. */
async function publishEpoch(
  options: PublishLogOptions,
  origin: string | undefined,
): Promise<Omit<Published, 'folder'>> {
  const { store, target, signal } = options;
  // Before the head, which is at least as far then, whoever else publishes.
  const present = await target.read(checkpointPath);
  const checkpoint = options.checkpoint ?? (await storedNote(store));
  if (checkpoint === undefined && present === undefined) return { from: 0, size: 0, files: 0 };
  if (checkpoint === undefined) throw ahead();
  const head = readTreeHead(checkpoint);
  if (head === undefined) throw new MedzenError('invalid_input', 'checkpoint must be a signed checkpoint of this log');
  if (origin !== undefined && head.origin !== origin)
    throw new MedzenError('checkpoint_inconsistent', 'The log was rebased meanwhile: publish again');
  const { size } = head;
  const tiles = createTileReader(store, createTreeHasher());
  const from = present === undefined ? 0 : await sizeOf(present, head, tiles);
  let files = 0;

  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    signal?.throwIfAborted();
    await target.write(path, bytes, { contentType: 'application/octet-stream', immutable: true });
    files++;
  };

  for (let level = 0; size >= tileWidth ** level; level++) {
    const [before, now] = [from, size].map((leaves) => Math.floor(leaves / tileWidth ** level));
    if (before === undefined || now === undefined || now === before) continue;
    for (let index = Math.floor(before / tileWidth); index * tileWidth < now; index++) {
      const width = Math.min(tileWidth, now - index * tileWidth);
      await write(tilePath(level, index, width), (await tiles.tile(level, index, width)).slice(0, width * hashBytes));
    }
  }
  if (options.entries === true)
    for (
      let at = await entriesThere(target, from, size);
      at < size;
      at = (Math.floor(at / tileWidth) + 1) * tileWidth
    ) {
      const index = Math.floor(at / tileWidth);
      const width = Math.min(tileWidth, size - index * tileWidth);
      const bundle = await bundleOf(store, index * tileWidth, width);
      if (bundle !== undefined) await write(tilePath('entries', index, width), bundle);
    }
  const bytes = new TextEncoder().encode(checkpoint);
  const now = await target.read(checkpointPath);
  const overtaken = now !== undefined && (headIn(now)?.size ?? 0) > size; // by another publisher, which has written our tiles too
  if (overtaken || (files === 0 && now !== undefined && equalBytes(now, bytes))) return { from, size, files };
  signal?.throwIfAborted();
  await target.write(checkpointPath, bytes, { contentType: 'text/plain; charset=utf-8', immutable: false });
  return { from, size, files: files + 1 };
}

/** The stored checkpoint, without lines that are damaged: readers refuse a note that has one. */
async function storedNote(store: Pick<LogStore, 'head'>): Promise<string | undefined> {
  const { checkpoint } = await store.head();
  return checkpoint === undefined ? undefined : wellFormedNote(checkpoint);
}

/** Reads the size of the published tree; our tree must have grown out of it. */
async function sizeOf(present: Uint8Array, ours: TreeHead, tiles: TileReader): Promise<number> {
  const theirs = headIn(present);
  if (theirs === undefined || theirs.origin !== ours.origin || theirs.size > ours.size) throw ahead();
  if (theirs.size === 0) return 0;
  const proof = await tiles.consistencyProof(theirs.size, ours.size);
  if (!verifyConsistency({ size1: theirs.size, root1: theirs.root, size2: ours.size, root2: ours.root, proof }))
    throw new MedzenError(
      'checkpoint_inconsistent',
      'The target must hold a beginning of this log; publish to an empty target',
    );
  return theirs.size;
}

function ahead(): MedzenError {
  return new MedzenError('checkpoint_inconsistent', 'The target holds another log, or more of this one than we do');
}

function headIn(checkpoint: Uint8Array): TreeHead | undefined {
  return readTreeHead(new TextDecoder().decode(checkpoint));
}

/**
 * Up to which leaf no entry is missing. Bundles are written oldest first, whatever a publisher dies over, so each of them tells of all before: the last
 * one of what was published, that all of that is there. Without it entries were left out, and the first full bundle that is missing is looked for.
 */
async function entriesThere(target: TileTarget, published: number, size: number): Promise<number> {
  const last = Math.max(0, Math.ceil(published / tileWidth) - 1);
  const isThere = async (index: number, width = tileWidth) =>
    (await target.read(tilePath('entries', index, width))) !== undefined;
  if (published > 0 && (await isThere(last, published - last * tileWidth))) return published;
  let [low, high] = [0, Math.floor(size / tileWidth)];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await isThere(middle)) low = middle + 1;
    else high = middle;
  }
  return low * tileWidth;
}

/** Undefined where an event was purged. */
async function bundleOf(store: LogStore, from: number, count: number): Promise<Uint8Array | undefined> {
  const leaves = await store.readLeaves(from, count);
  if (leaves.some(({ purged }) => purged === true)) return undefined;
  const bodies = leaves.flatMap(({ body, index }, at) => (body !== undefined && index === from + at ? [body] : []));
  if (bodies.length !== count)
    throw new MedzenError('checkpoint_inconsistent', 'An event that should be published is missing');
  return formatEntryBundle(bodies);
}
