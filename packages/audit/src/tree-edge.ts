import type { LogTile } from '@medzen/core';
import { hashBytes, type TreeHasher, tileWidth } from './tree-hasher.ts';

/** The right edge of a tree, which is all that growing it needs: at most one partial tile a level. */
export interface TreeEdge {
  /** Appends a leaf. @returns its hash, 32 bytes; not to be written to */
  append(body: Uint8Array): Uint8Array;
  /** The root now. @returns a fresh array of 32 bytes */
  root(): Uint8Array;
  /** Every tile that changed since the edge was made, whole; those at the right edge partial. */
  changed(): readonly LogTile[];
}

interface EdgeLevel {
  /** Of the tile that is being filled. */
  index: number;
  /** Hashes in it, 0–255: the 256th makes it full, and the next one begin. */
  width: number;
  hashes: Uint8Array<ArrayBuffer>;
  touched: boolean;
}

/**
 * How the right edge of a tree is laid out: for each level, which tile it ends in and how wide that one is.
 *
 * @param size - leaves, 0 to 2⁵³ − 1
 * @see C2SP tlog-tiles, “Partial Tiles”
 */
export function edgeLayout(size: number): readonly { readonly index: number; readonly width: number }[] {
  const levels: { index: number; width: number }[] = [];
  for (let entries = size; entries > 0; entries = Math.floor(entries / tileWidth))
    levels.push({ index: Math.floor(entries / tileWidth), width: entries % tileWidth });
  return levels;
}

/**
 * The edge of a tree of a given size.
 *
 * @param partials - for each level of {@link edgeLayout}, the hashes of its partial tile: at least 32 × width bytes. They are copied
 */
export function createTreeEdge(hasher: TreeHasher, size: number, partials: readonly Uint8Array[]): TreeEdge {
  const full: LogTile[] = [];
  const levels: EdgeLevel[] = edgeLayout(size).map(({ index, width }, level) => {
    const hashes = newTile();
    hashes.set(partials[level]?.subarray(0, width * hashBytes) ?? []);
    return { index, width, hashes, touched: false };
  });

  const levelAt = (level: number): EdgeLevel => {
    const present = levels[level] ?? { index: 0, width: 0, hashes: newTile(), touched: false };
    levels[level] = present;
    return present;
  };

  /** One hash was written at the end of a level: count it, and carry a full tile's root up. */
  const grown = (level: number): void => {
    const tile = levelAt(level);
    tile.touched = true;
    tile.width++;
    if (tile.width < tileWidth) return;
    full.push({ level, index: tile.index, hashes: tile.hashes });
    const above = levelAt(level + 1);
    above.hashes.set(hasher.fold(tile.hashes, tileWidth), above.width * hashBytes);
    levels[level] = { index: tile.index + 1, width: 0, hashes: newTile(), touched: false };
    grown(level + 1);
  };

  return {
    append: (body) => {
      const { hashes, width } = levelAt(0);
      hasher.leaf(body, hashes, width * hashBytes);
      grown(0);
      return hashes.subarray(width * hashBytes, (width + 1) * hashBytes);
    },
    root: () => edgeRoot(hasher, levels),
    changed: () => {
      const partial = levels.flatMap(({ index, width, hashes, touched }, level) =>
        touched && width > 0 ? [{ level, index, hashes: hashes.slice(0, width * hashBytes) }] : [],
      );
      return [...full, ...partial];
    },
  };
}

/**
 * The root over a right edge. The subtree that the lower levels make is not full: it stands last among the level's hashes, and is
 * carried up as RFC 6962 carries an odd last one.
 *
 * @param levels - lowest first; each with `width` hashes, 0–255
 * @returns 32 bytes; SHA-256 of nothing for the empty tree
 */
export function edgeRoot(
  hasher: TreeHasher,
  levels: readonly { readonly width: number; readonly hashes: Uint8Array }[],
): Uint8Array {
  let below: Uint8Array | undefined;
  for (const { width, hashes } of levels) {
    const row: Uint8Array = newTile();
    row.set(hashes.subarray(0, width * hashBytes));
    if (below !== undefined) row.set(below, width * hashBytes);
    const count = width + (below === undefined ? 0 : 1);
    if (count > 0) below = hasher.fold(row, count);
  }
  return below ?? hasher.fold(newTile(), 0);
}

function newTile(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(tileWidth * hashBytes);
}
