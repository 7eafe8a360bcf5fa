import { equalBytes } from '@medzen/core';
import { isHash } from './is-hash.ts';
import { inclusionRanges, isSize } from './proof-ranges.ts';
import { nodeHash, treeHash } from './tree-hash.ts';

/**
 * Proves that a leaf is in a tree, from all its leaf hashes.
 *
 * @param input - `leafHashes` in leaf order, each 32 bytes; `index` of the leaf; `size` of the tree, 1 to
 * `leafHashes.length` (all of them when absent)
 * @returns the sibling hashes, lowest first: ⌈log₂ size⌉ of them at most
 * @throws MedzenError `invalid_input` when there is no such leaf or a hash is not 32 bytes
 * @see RFC 9162 §2.1.3.1
 * @example
 * ```ts
 * import { inclusionProof, leafHash, treeHash, verifyInclusion } from '@medzen/audit';
 * const leafHashes = [1, 2, 3].map((n) => leafHash(Uint8Array.of(n)));
 * const proof = inclusionProof({ leafHashes, index: 2 });
 * verifyInclusion({ leafHash: leafHash(Uint8Array.of(3)), index: 2, size: 3, proof, root: treeHash(leafHashes) }); // true
 * ```
 */
export function inclusionProof(input: {
  readonly leafHashes: readonly Uint8Array[];
  readonly index: number;
  readonly size?: number;
}): Uint8Array[] {
  const { leafHashes, index, size = leafHashes.length } = input;
  return inclusionRanges(index, size <= leafHashes.length ? size : -1).map(({ from, to }) =>
    treeHash(leafHashes.slice(from, to)),
  );
}

/** What {@link verifyInclusion} is given. */
export interface InclusionClaim {
  /** 32 bytes. */
  readonly leafHash: Uint8Array;
  /** 0 to `size` − 1. */
  readonly index: number;
  /** Leaves of the tree, 1 to 2⁵³ − 1. */
  readonly size: number;
  /** Sibling hashes, lowest first, each 32 bytes. */
  readonly proof: readonly Uint8Array[];
  /** 32 bytes, from a checkpoint whose signature was verified. */
  readonly root: Uint8Array;
}

/**
 * Whether a leaf is at an index of the tree with this root. Safe with input from anybody: whatever is given, the answer
 * is true or false, after at most 53 hashes.
 *
 * @param claim - see {@link InclusionClaim}
 * @returns true only for a complete proof without a hash too many
 * @see RFC 9162 §2.1.3.2
 * @example
 * ```ts
 * import { leafHash, verifyInclusion } from '@medzen/audit';
 * const only = leafHash(Uint8Array.of(7));
 * verifyInclusion({ leafHash: only, index: 0, size: 1, proof: [], root: only }); // true
 * ```
 */
export function verifyInclusion(claim: InclusionClaim): boolean {
  try {
    return holds(claim);
  } catch {
    return false; // not even an object, or one whose getters throw
  }
}

function holds({ leafHash, index, size, proof, root }: InclusionClaim): boolean {
  if (!isSize(size) || !isSize(index) || index >= size) return false;
  if (!isHash(leafHash) || !isHash(root) || !Array.isArray(proof)) return false;
  let node = index;
  let last = size - 1;
  let hash = leafHash;
  for (const sibling of proof as readonly unknown[]) {
    // its elements are as unknown as the rest
    if (last === 0 || !isHash(sibling)) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equalBytes(hash, root);
}
