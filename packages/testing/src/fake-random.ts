import type { Random } from '@medzen/core';

/**
 * Bytes that look random and are the same for the same seed (mulberry32). For tests only: anyone can predict them.
 *
 * @param seed - a whole number; 1 when absent
 * @example
 * ```ts
 * import { fakeRandom } from '@medzen/testing';
 * fakeRandom(7).bytes(4).length; // 4
 * ```
 */
export function fakeRandom(seed = 1): Random {
  const next = fakeNumbers(seed);
  return {
    bytes: (length) => {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = Math.floor(next() * 256);
      return bytes;
    },
  };
}

/**
 * A generator of numbers in [0, 1), the same for the same seed.
 *
 * @param seed - a whole number
 */
export function fakeNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
