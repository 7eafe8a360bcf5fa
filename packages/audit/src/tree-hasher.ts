import { sha256, sha256Into } from '@medzen/core';

/** Hashes in one tile: the width of C2SP tlog-tiles. */
export const tileWidth = 256;
/** Bytes of a hash. */
export const hashBytes = 32;

const pairBytes = 1 + 2 * hashBytes;

/**
 * RFC 6962 hashing over flat arrays, 32 bytes a hash: no array a hash, no call a part. It owns its working memory, so one
 * sequencer or one verification makes one and keeps it; nothing in it outlives a call.
 */
export interface TreeHasher {
  /** Writes SHA-256(0x00 ‖ body) into `target` at a byte offset. */
  leaf(body: Uint8Array, target: Uint8Array, offset: number): void;
  /**
   * The root over the first `count` hashes of a flat array. Exact also where the last hash stands for a subtree that is not
   * full: RFC 6962 pairs level by level and carries an odd last one up unchanged.
   *
   * @param hashes - at least 32 × `count` bytes
   * @param count - ≥ 0
   * @returns a fresh array of 32 bytes; SHA-256 of nothing for none
   */
  fold(hashes: Uint8Array, count: number): Uint8Array;
}

/** Makes a {@link TreeHasher} with its own working memory (~70 kB). */
export function createTreeHasher(): TreeHasher {
  // Pairs lie as 0x01 ‖ left ‖ right, so that each is hashed where it stands. The views are made once: making one costs a third of a hash.
  const pairs = new Uint8Array((tileWidth / 2) * pairBytes);
  const views = Array.from({ length: tileWidth / 2 }, (_, i) => pairs.subarray(i * pairBytes, (i + 1) * pairBytes));
  for (const view of views) view[0] = 0x01;
  let leafInput = new Uint8Array(4096);

  const slot = (i: number): number => (i >> 1) * pairBytes + 1 + (i & 1) * hashBytes;

  const foldTile = (hashes: Uint8Array, from: number, count: number): Uint8Array => {
    for (let i = 0; i < count; i++) copyHash(hashes, (from + i) * hashBytes, pairs, slot(i));
    for (let width = count; width > 1; width = (width + 1) >> 1) {
      for (let pair = 0; pair < width >> 1; pair++) {
        const view = views[pair];
        if (view !== undefined) sha256Into(view, pairs, slot(pair));
      }
      if (width % 2 === 1) copyHash(pairs, slot(width - 1), pairs, slot(width >> 1));
    }
    return pairs.slice(1, 1 + hashBytes);
  };

  return {
    leaf: (body, target, offset) => {
      if (body.length >= leafInput.length) leafInput = new Uint8Array(body.length + 4096);
      leafInput.set(body, 1); // index 0 is 0x00 already
      sha256Into(leafInput.subarray(0, body.length + 1), target, offset);
    },
    fold: (hashes, count) => {
      if (count === 0) return sha256();
      if (count <= tileWidth) return foldTile(hashes, 0, count);
      let level = hashes;
      let width = count;
      while (width > 1) {
        const next = new Uint8Array(Math.ceil(width / tileWidth) * hashBytes);
        for (let i = 0; i * tileWidth < width; i++)
          next.set(foldTile(level, i * tileWidth, Math.min(tileWidth, width - i * tileWidth)), i * hashBytes);
        level = next;
        width = Math.ceil(width / tileWidth);
      }
      return level.slice(0, hashBytes);
    },
  };
}

function copyHash(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let i = 0; i < hashBytes; i++) target[to + i] = source[from + i] ?? 0;
}
