import { MedzenError } from '@medzen/core';
import { ed25519 } from '@noble/curves/ed25519.js';
import { isKeyName } from './signed-note.ts';
import { formatVerifierKey } from './verifier-key.ts';

/** Signs a log's checkpoints. {@link createSigner} makes one from a seed; wrap a KMS or HSM key in this shape. */
export interface Signer {
  /** The log's name: the first line of its checkpoints, and the name of the key. */
  readonly origin: string;
  /** What a stranger needs to verify: `<origin>+<key id>+<base64>`. Publish it. */
  readonly verifierKey: string;
  /**
   * Signs with Ed25519 (RFC 8032).
   *
   * @param message - the checkpoint's body
   * @returns 64 bytes
   */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/**
 * A signer from an Ed25519 seed. The seed never leaves it: what serialises or logs a signer sees the public part only.
 *
 * @param options - `origin`: a URL without its scheme is recommended (`example.org/audit`), no white space, no `+`;
 * `privateKey`: the seed, 32 random bytes (`crypto.getRandomValues(new Uint8Array(32))`), kept outside the database
 * @throws MedzenError `invalid_configuration` when either is not so
 * @see C2SP signed-note; RFC 8032 §5.1.5
 * @example
 * ```ts
 * import { createSigner } from '@medzen/audit';
 * const signer = createSigner({ origin: 'example.org/audit', privateKey: crypto.getRandomValues(new Uint8Array(32)) });
 * signer.verifierKey.startsWith('example.org/audit+'); // true
 * ```
 */
export function createSigner(options: { readonly origin: string; readonly privateKey: Uint8Array }): Signer {
  const { origin, privateKey } = options;
  if (!isKeyName(origin))
    throw new MedzenError('invalid_configuration', "origin must be a valid C2SP key name (no spaces, no '+')");
  if (!(privateKey instanceof Uint8Array) || privateKey.length !== 32)
    throw new MedzenError('invalid_configuration', 'The private key of a log is a seed of 32 bytes');
  const seed = Uint8Array.from(privateKey);
  return {
    origin,
    verifierKey: formatVerifierKey(origin, ed25519.getPublicKey(seed)),
    sign: async (message) => ed25519.sign(message, seed),
  };
}
