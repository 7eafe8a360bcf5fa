import { equalBytes } from '@medzen/core';
import { isHash } from './is-hash.ts';
import { consistencyRanges, isSize } from './proof-ranges.ts';
import { nodeHash, treeHash } from './tree-hash.ts';

/**
 * Proves that a tree only grew: that its first `size1` leaves are those of the earlier tree.
 *
 * @param input - `leafHashes` in leaf order, each 32 bytes; `size1` from 1; `size2` from `size1` to `leafHashes.length`
 * (all of them when absent)
 * @returns the hashes, lowest first; none when the sizes are equal
 * @throws MedzenError `invalid_input` when the sizes are out of bounds or a hash is not 32 bytes
 * @see RFC 9162 §2.1.4.1
 * @example
 * ```ts
 * import { consistencyProof, leafHash, treeHash, verifyConsistency } from '@medzen/audit';
 * const leafHashes = [1, 2, 3].map((n) => leafHash(Uint8Array.of(n)));
 * const proof = consistencyProof({ leafHashes, size1: 2 });
 * const root1 = treeHash(leafHashes.slice(0, 2));
 * verifyConsistency({ size1: 2, size2: 3, root1, root2: treeHash(leafHashes), proof }); // true
 * ```
 */
export function consistencyProof(input: {
  readonly leafHashes: readonly Uint8Array[];
  readonly size1: number;
  readonly size2?: number;
}): Uint8Array[] {
  const { leafHashes, size1, size2 = leafHashes.length } = input;
  return consistencyRanges(size1, size2 <= leafHashes.length ? size2 : -1).map(({ from, to }) =>
    treeHash(leafHashes.slice(from, to)),
  );
}

/** Input of {@link verifyConsistency}. */
export interface ConsistencyClaim {
  /** Leaves of the earlier tree, 1 to `size2`. 0 is refused: it would prove nothing. */
  readonly size1: number;
  /** Leaves of the later tree, at most 2⁵³ − 1. */
  readonly size2: number;
  /** 32 bytes, from a checkpoint whose signature was verified. */
  readonly root1: Uint8Array;
  /** 32 bytes, from a checkpoint whose signature was verified. */
  readonly root2: Uint8Array;
  /** Hashes, lowest first, each 32 bytes; none when the sizes are equal. */
  readonly proof: readonly Uint8Array[];
}

/**
 * Whether the later tree holds the earlier one unchanged. Safe with input from anybody: whatever is given, the answer is
 * true or false, after at most 106 hashes.
 *
 * @param claim - see {@link ConsistencyClaim}
 * @returns true only for a complete proof without a hash too many
 * @see RFC 9162 §2.1.4.2
 * @example
 * ```ts
 * import { leafHash, verifyConsistency } from '@medzen/audit';
 * const root = leafHash(Uint8Array.of(7));
 * verifyConsistency({ size1: 1, size2: 1, root1: root, root2: root, proof: [] }); // true
 * ```
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  try {
    return holds(claim);
  } catch {
    return false; // not even an object, or one whose getters throw
  }
}

function holds({ size1, size2, root1, root2, proof }: ConsistencyClaim): boolean {
  if (!isSize(size1) || !isSize(size2) || size1 < 1 || size1 > size2) return false;
  if (!isHash(root1) || !isHash(root2) || !Array.isArray(proof)) return false;
  if (size1 === size2) return proof.length === 0 && equalBytes(root1, root2);
  const { length } = proof;
  if (length === 0 || length > 64) return false; // 54 is the most there can be

  const hashes = Array.from({ length }, (_, i) => proof[i]); // by index: an iterator of its own may never end
  const path: readonly unknown[] = isPowerOfTwo(size1) ? [root1, ...hashes] : hashes;
  let node = size1 - 1;
  let last = size2 - 1;
  while (node % 2 === 1) {
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  const [first, ...rest] = path;
  if (!isHash(first)) return false;
  let earlier = first;
  let later = first;
  for (const sibling of rest) {
    if (last === 0 || !isHash(sibling)) return false;
    if (node % 2 === 1 || node === last) {
      earlier = nodeHash(sibling, earlier);
      later = nodeHash(sibling, later);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      later = nodeHash(later, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equalBytes(earlier, root1) && equalBytes(later, root2);
}

function isPowerOfTwo(size: number): boolean {
  let rest = size;
  while (rest % 2 === 0) rest /= 2;
  return rest === 1;
}
