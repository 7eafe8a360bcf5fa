import { nodeHash } from './tree-hash.ts';
import { hashBytes, type TreeHasher, tileWidth } from './tree-hasher.ts';

/** Collects, from rows of tiles as they pass by, what the root of an earlier, smaller tree is made of. */
export interface EarlierRoot {
  /** A row of a tile is settled: its hashes from position 0. */
  take(level: number, index: number, hashes: Uint8Array): void;
  /** The root; undefined when a row it needs did not pass. */
  root(): Uint8Array | undefined;
}

/**
 * The root at a size is made of one full subtree for each bit of the size; each of them lies in one tile.
 *
 * @param size - ≥ 1, and at most that of the tree whose rows pass by
 */
export function createEarlierRoot(hasher: TreeHasher, size: number): EarlierRoot {
  const groups: { level: number; index: number; position: number; count: number; hash: Uint8Array | undefined }[] = [];
  for (let from = 0; from < size; ) {
    let height = 0;
    while (from % 2 ** (height + 1) === 0 && from + 2 ** (height + 1) <= size) height++;
    const level = Math.floor(height / 8);
    const entry = from / tileWidth ** level;
    groups.push({
      level,
      index: Math.floor(entry / tileWidth),
      position: entry % tileWidth,
      count: 2 ** (height % 8),
      hash: undefined,
    });
    from += 2 ** height;
  }
  return {
    take: (level, index, hashes) => {
      for (const group of groups)
        if (group.level === level && group.index === index)
          group.hash = hasher.fold(hashes.subarray(group.position * hashBytes), group.count);
    },
    root: () => {
      let root: Uint8Array | undefined;
      for (const { hash } of groups.toReversed()) {
        if (hash === undefined) return undefined;
        root = root === undefined ? hash : nodeHash(hash, root);
      }
      return root;
    },
  };
}
