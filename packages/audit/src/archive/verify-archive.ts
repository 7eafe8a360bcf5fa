import {
  equalBytes,
  isMedzenError,
  type LeafSpan,
  type ObjectDeadlines,
  type ObjectStore,
  sha256,
  sha256Hasher,
  toHex,
  withObjectDeadlines,
} from '@medzen/core';
import { isSignedByLog } from '../checkpoint.ts';
import { createIdCheck } from '../event-id.ts';
import { verifyInclusion } from '../inclusion-proof.ts';
import { objectTiles } from '../object-tiles.ts';
import { lineageOf } from '../sequencer/lineage.ts';
import { tileLog } from '../tile-log.ts';
import { checkpointPath, tilePath } from '../tile-path.ts';
import { createTileReader } from '../tile-reader.ts';
import { folderOf } from '../tiles/epochs.ts';
import { createTreeHasher, hashBytes, tileWidth } from '../tree-hasher.ts';
import { openOwnCheckpoint } from '../verify/own-checkpoint.ts';
import { instantIn } from '../verify/purge-claim.ts';
import { endedBy } from '../verify/until-aborted.ts';
import { type ArchiveManifest, archivePaths, parseManifest } from './archive-manifest.ts';
import { readLines } from './read-lines.ts';

/** Range to verify, its location and the keys. */
export interface VerifyArchiveOptions extends LeafSpan {
  readonly objects: ObjectStore;
  /** Of the archive, with its slash. */
  readonly prefix: string;
  /** The log's, and those of witnesses if you hold them. */
  readonly verifierKeys: readonly string[];
  /** Time limits of calls to `objects`. */
  readonly deadlines?: ObjectDeadlines;
  readonly signal?: AbortSignal;
}

/** Result of verifying an archive. */
export type ArchiveVerdict =
  | {
      readonly ok: true;
      readonly manifest: ArchiveManifest;
      /** Of the manifest's bytes, 32 bytes. */
      readonly manifestSha256: Uint8Array;
      /** The latest instant that an event of the range says of itself, RFC 3339; absent when one of them says none. */
      readonly newestAt?: string;
    }
  | {
      readonly ok: false;
      /**
       * `missing`: a file is not there. `malformed`: the manifest is none, or is of another range. `checkpoint`: its checkpoint is by none of the
       * keys, or does not cover the range. `tiles`: the stored hashes do not lead to the signed root. `events`: what is stored is not what was sealed.
       */
      readonly reason: 'missing' | 'malformed' | 'checkpoint' | 'tiles' | 'events';
    };

/**
 * Verifies a range of the archive from the object store alone, every byte of it, without a database: years after its events were purged, too. Streams.
 *
 * @returns a verdict; never throws because of what is stored
 * @throws MedzenError `store_unavailable`; the signal's reason
 * @example
 * ```ts
 * import { verifyArchive } from '@medzen/audit';
 * import type { ObjectStore } from '@medzen/core';
 * async function stillThere(objects: ObjectStore, verifierKey: string): Promise<boolean> {
 *   const range = { objects, prefix: 'audit/', first: 0, end: 65_536 };
 *   return (await verifyArchive({ ...range, verifierKeys: [verifierKey] })).ok;
 * }
 * ```
 */
export async function verifyArchive(options: VerifyArchiveOptions): Promise<ArchiveVerdict> {
  const { prefix, first, end, verifierKeys, signal, deadlines = {} } = options;
  const objects = endedBy(signal, withObjectDeadlines(options.objects, deadlines));
  const files = endedBy(signal, objectTiles(options.objects, prefix, deadlines));
  const bytes = await files.read(archivePaths(options).manifest);
  if (bytes === undefined) return { ok: false, reason: 'missing' };
  const manifest = parseManifest(bytes);
  if (manifest === undefined || manifest.first !== first || manifest.end !== end)
    return { ok: false, reason: 'malformed' };
  const { checkpoint, ids, events } = manifest;
  const opened = await openOwnCheckpoint(checkpoint, verifierKeys);
  if (!opened.ok || !isSignedByLog(opened) || opened.size < end) return { ok: false, reason: 'checkpoint' };

  const folder = folderOf(opened.origin, (lineageOf(opened) ?? []).length === 0);
  // The tree of the manifest's own checkpoint, whatever was published since.
  const log = tileLog(
    {
      read: async (path) =>
        path === checkpointPath ? new TextEncoder().encode(checkpoint) : files.read(folder + path),
    },
    { entries: 'absent' },
  );
  const hasher = createTreeHasher();
  const reader = createTileReader(log, hasher);
  const digests = new Map(manifest.tiles.map(({ path, sha256 }) => [path, sha256]));

  /**
   * The hashes of a tile, proved: the path of its first leaf is made of all the others in it.
   */
  const proved = async (tile: number): Promise<Uint8Array | undefined> => {
    const index = tile * tileWidth;
    const width = Math.min(tileWidth, opened.size - index);
    try {
      const hashes = await reader.tile(0, tile, width);
      const proof = await reader.inclusionProof(index, opened.size);
      const { size, root } = opened;
      const leads = verifyInclusion({ leafHash: hashes.slice(0, hashBytes), index, size, proof, root });
      const digest = digests.get(tilePath(0, tile));
      return leads && (digest === undefined || digest === toHex(sha256(hashes))) ? hashes : undefined;
    } catch (error) {
      if (isInconsistent(error)) return undefined;
      throw error;
    }
  };

  const stored = await objects.get(prefix + events.path);
  if (stored === undefined || events.path !== archivePaths(options).events) return { ok: false, reason: 'missing' };
  const file = sha256Hasher();
  const holdsId = createIdCheck();
  const hash = new Uint8Array(hashBytes);
  let hashes: Uint8Array | undefined;
  let at = first;
  let whole = true;
  let newest = Number.NEGATIVE_INFINITY;
  for await (const line of readLines(stored.body, file, signal)) {
    signal?.throwIfAborted();
    if (at >= end || line.length > 65_535) return { ok: false, reason: 'events' };
    if (at === first || at % tileWidth === 0) hashes = await proved(Math.floor(at / tileWidth));
    if (hashes === undefined) return { ok: false, reason: 'tiles' };
    hasher.leaf(line, hash, 0);
    const from = (at % tileWidth) * hashBytes;
    whole &&= equalBytes(hash, hashes.subarray(from, from + hashBytes));
    if (at === first) whole &&= holdsId(line, ids.first);
    if (at === end - 1) whole &&= holdsId(line, ids.last);
    if (!whole) return { ok: false, reason: 'events' };
    newest = Math.max(newest, instantIn(line) ?? Number.POSITIVE_INFINITY);
    at++;
  }
  if (at !== end || toHex(file.digest()) !== events.sha256 || stored.head.size !== events.bytes)
    return { ok: false, reason: 'events' };
  return {
    ok: true,
    manifest,
    manifestSha256: sha256(bytes),
    ...(Number.isFinite(newest) && { newestAt: new Date(newest).toISOString() }),
  };
}

function isInconsistent(error: unknown): boolean {
  return isMedzenError(error) && (error.code === 'checkpoint_inconsistent' || error.code === 'invalid_input');
}
