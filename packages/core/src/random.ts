/** Source of random bytes, injected so that tests can repeat themselves. */
export interface Random {
  /**
   * @param length - bytes wanted, 0–65536
   * @returns a fresh array
   */
  bytes(length: number): Uint8Array;
}

/** Cryptographic randomness from Web Crypto. */
export const systemRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
