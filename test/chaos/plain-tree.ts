import { createHash } from 'node:crypto';

/** A tree over leaf hashes, by the words of RFC 6962 and RFC 9162 and nothing of the library. */
export interface PlainTree {
  /** MTH(D[0:size]). @param size - 1 to the number of leaves */
  root(size: number): Uint8Array;
  /** PROOF(size1, D[0:size2]). @see RFC 9162 §2.1.4.1 */
  consistencyProof(size1: number, size2: number): Uint8Array[];
}

/** @param leaves - their hashes, in leaf order */
export function plainTree(leaves: readonly Uint8Array[]): PlainTree {
  // Full subtrees are asked for by many proofs: kept, by height and place.
  const full: Uint8Array[][] = [[...leaves]];
  for (let below = full[0] ?? []; below.length > 1; below = full.at(-1) ?? [])
    full.push(
      Array.from({ length: Math.floor(below.length / 2) }, (_, i) =>
        node(hashAt(below, 2 * i), hashAt(below, 2 * i + 1)),
      ),
    );

  const range = (from: number, to: number): Uint8Array => {
    const height = Math.log2(to - from);
    if (Number.isInteger(height)) return hashAt(full[height] ?? [], from / (to - from));
    const split = from + splitOf(to - from);
    return node(range(from, split), range(split, to));
  };
  const subproof = (m: number, from: number, to: number, whole: boolean): Uint8Array[] => {
    if (m === to - from) return whole ? [] : [range(from, to)];
    const k = splitOf(to - from);
    return m <= k
      ? [...subproof(m, from, from + k, whole), range(from + k, to)]
      : [...subproof(m - k, from + k, to, false), range(from, from + k)];
  };
  return {
    root: (size) => range(0, size),
    consistencyProof: (size1, size2) => subproof(size1, 0, size2, true),
  };
}

/** The largest power of two below n. */
function splitOf(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

function node(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest();
}

function hashAt(hashes: readonly Uint8Array[], at: number): Uint8Array {
  const hash = hashes[at];
  if (hash === undefined) throw new Error(`There is no hash ${at}`);
  return hash;
}
