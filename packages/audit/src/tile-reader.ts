import { type LogStore, MedzenError } from '@medzen/core';
import { consistencyRanges, inclusionRanges, type LeafRange } from './proof-ranges.ts';
import { nodeHash } from './tree-hash.ts';
import { hashBytes, type TreeHasher, tileWidth } from './tree-hasher.ts';

/**
 * Reads hashes of a tree out of its stored tiles. Nothing it gives is to be believed before a signed root has confirmed it.
 */
export interface TileReader {
  /**
   * The first `width` hashes of a tile. A wider tile is as good: the log may have grown since.
   *
   * @returns 32 × `width` bytes
   * @throws MedzenError `checkpoint_inconsistent` when the tile is missing, narrower, or not whole hashes; `store_unavailable`
   */
  tile(level: number, index: number, width: number): Promise<Uint8Array>;
  /**
   * The consistency proof between two sizes of the tree, both ≥ 1.
   *
   * @throws MedzenError as `tile`
   */
  consistencyProof(size1: number, size2: number): Promise<Uint8Array[]>;
  /**
   * The proof that a leaf is in the tree of a size.
   *
   * @throws MedzenError as `tile`; `invalid_input` unless 0 ≤ index < size
   */
  inclusionProof(index: number, size: number): Promise<Uint8Array[]>;
}

/** A reader over a store. It keeps no tile: what it proves is asked for once. */
export function createTileReader(store: Pick<LogStore, 'readTile'>, hasher: TreeHasher): TileReader {
  const tile: TileReader['tile'] = async (level, index, width) => {
    const stored = await store.readTile(level, index);
    const hashes: unknown = stored?.hashes; // of a database that may be damaged
    if (!(hashes instanceof Uint8Array) || hashes.length < width * hashBytes || hashes.length % hashBytes !== 0)
      throw new MedzenError('checkpoint_inconsistent', 'A tile of the log is missing or damaged', {
        detail: { level, index },
      });
    return hashes.subarray(0, width * hashBytes);
  };

  /** The root of a full, aligned subtree of 2^height leaves. */
  const subtree = async (height: number, from: number): Promise<Uint8Array> => {
    const level = Math.floor(height / 8);
    const count = 2 ** (height % 8);
    const entry = from / tileWidth ** level;
    const position = entry % tileWidth;
    const hashes = await tile(level, Math.floor(entry / tileWidth), position + count);
    return hasher.fold(hashes.subarray(position * hashBytes), count);
  };

  /** The root over any range that a proof may name: full subtrees, each smaller than the one before. */
  const range = async (from: number, to: number): Promise<Uint8Array> => {
    let height = 0;
    while (from % 2 ** (height + 1) === 0 && from + 2 ** (height + 1) <= to) height++;
    const left = await subtree(height, from);
    const middle = from + 2 ** height;
    return middle === to ? left : nodeHash(left, await range(middle, to));
  };

  const proofOf = async (ranges: readonly LeafRange[]): Promise<Uint8Array[]> => {
    const proof: Uint8Array[] = [];
    for (const { from, to } of ranges) proof.push(await range(from, to));
    return proof;
  };

  return {
    tile,
    consistencyProof: async (size1, size2) => proofOf(consistencyRanges(size1, size2)),
    inclusionProof: async (index, size) => proofOf(inclusionRanges(index, size)),
  };
}
