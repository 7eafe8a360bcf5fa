import { MedzenError } from '@medzen/core';

/** Leaves `from` (inclusive) to `to` (exclusive) whose subtree root is one hash of a proof. */
export interface LeafRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Which subtrees an inclusion proof is made of, lowest first: PATH(m, D[n]).
 *
 * @param index - 0 to `size` − 1
 * @throws MedzenError `invalid_input` outside these bounds
 * @see RFC 9162 §2.1.3.1
 */
export function inclusionRanges(index: number, size: number): readonly LeafRange[] {
  if (!isSize(size) || !isSize(index) || index >= size) throw new MedzenError('invalid_input', 'No such leaf');
  const path: LeafRange[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (index < middle) {
      path.push({ from: middle, to });
      to = middle;
    } else {
      path.push({ from, to: middle });
      from = middle;
    }
  }
  return path.reverse();
}

/**
 * Which subtrees a consistency proof is made of, lowest first: SUBPROOF(m, D[n], true).
 *
 * @param size1 - 1 to `size2`; from an empty tree everything is consistent and nothing is proved
 * @throws MedzenError `invalid_input` outside these bounds
 * @see RFC 9162 §2.1.4.1
 */
export function consistencyRanges(size1: number, size2: number): readonly LeafRange[] {
  if (!isSize(size1) || !isSize(size2) || size1 < 1 || size1 > size2)
    throw new MedzenError('invalid_input', 'size1 and size2 must satisfy 1 ≤ size1 ≤ size2');
  const path: LeafRange[] = [];
  let from = 0;
  let to = size2;
  while (size1 !== to) {
    const middle = from + splitPoint(to - from);
    if (size1 <= middle) {
      path.push({ from: middle, to });
      to = middle;
    } else {
      path.push({ from, to: middle });
      from = middle;
    }
  }
  if (from !== 0) path.push({ from, to }); // from 0 on it is the first tree itself, which the verifier holds
  return path.reverse();
}

/** The largest power of two below n. @param n - 2 to 2⁵³ − 1 */
function splitPoint(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2; // no shifts: they work on 32 bits
  return power;
}

/** Whether a value is a size or an index of a tree: a whole number from 0 to 2⁵³ − 1. */
export function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0; // a safe integer is a number
}
