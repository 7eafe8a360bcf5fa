import { equalBytes, type LeafSpan, type LogStore, MedzenError, sha256Hasher, toHex } from '@medzen/core';
import { createIdCheck } from '../event-id.ts';
import { tilePath } from '../tile-path.ts';
import { createTileReader } from '../tile-reader.ts';
import { createTreeHasher, hashBytes, tileWidth } from '../tree-hasher.ts';
import { type ArchiveManifest, archivePaths } from './archive-manifest.ts';

/** What a range is found to be while it is read from the database. */
export type ArchiveContents = Pick<ArchiveManifest, 'ids' | 'events' | 'tiles'>;

/**
 * The lines of a range, as they go to the archive: nothing that the tree does not hold. Streams, a few tiles at a time.
 *
 * @param found - called with what they came to, after the last
 * @throws MedzenError `checkpoint_inconsistent` when an event is missing or is not the one that was sealed; `store_unavailable`
 */
export async function* archiveLines(
  store: LogStore,
  { first, end }: LeafSpan,
  found: (contents: ArchiveContents) => void,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const hasher = createTreeHasher();
  const reader = createTileReader(store, hasher);
  const holdsId = createIdCheck();
  const file = sha256Hasher();
  const hash = new Uint8Array(hashBytes);
  const tiles: { path: string; sha256: string }[] = [];
  const ids = { first: '', last: '' };
  let bytes = 0;
  for (let at = first; at < end; ) {
    signal?.throwIfAborted();
    const tile = Math.floor(at / tileWidth);
    const until = Math.min(end, (tile + 1) * tileWidth);
    const hashes = await reader.tile(0, tile, until - tile * tileWidth);
    const leaves = await store.readLeaves(at, until - at);
    const lines: Uint8Array[] = [];
    for (; at < until; at++) {
      const leaf = leaves[at - until + leaves.length];
      if (leaf?.body === undefined || leaf.index !== at || !holdsId(leaf.body, leaf.eventId)) throw damaged();
      hasher.leaf(leaf.body, hash, 0);
      const from = (at % tileWidth) * hashBytes;
      if (!equalBytes(hash, hashes.subarray(from, from + hashBytes))) throw damaged();
      if (at === first) ids.first = leaf.eventId;
      ids.last = leaf.eventId;
      lines.push(leaf.body, newline);
    }
    if (hashes.length === tileWidth * hashBytes) tiles.push({ path: tilePath(0, tile), sha256: sha256Of(hashes) });
    const chunk = joined(lines);
    file.update(chunk);
    bytes += chunk.length;
    yield chunk;
  }
  const { events: path } = archivePaths({ first, end });
  found({ ids, events: { path, sha256: toHex(file.digest()), bytes, count: end - first }, tiles });
}

const newline = Uint8Array.of(0x0a);

function damaged(): MedzenError {
  return new MedzenError('checkpoint_inconsistent', 'An event that should be archived is missing or was altered');
}

function sha256Of(bytes: Uint8Array): string {
  const hasher = sha256Hasher();
  hasher.update(bytes);
  return toHex(hasher.digest());
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
