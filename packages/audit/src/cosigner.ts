import { type Clock, MedzenError } from '@medzen/core';
import { ed25519 } from '@noble/curves/ed25519.js';
import { cosignaturePayload, cosignedMessage } from './cosignature.ts';
import { formatSignature, isKeyName } from './signed-note.ts';
import { formatVerifierKey, parseVerifierKey } from './verifier-key.ts';

/** Signs as a witness. {@link createCosigner} makes one from a seed; wrap a KMS or HSM key in this shape. */
export interface Cosigner {
  /** The witness's name: a URL without its scheme is recommended. */
  readonly name: string;
  /** What logs and auditors need: `<name>+<key id>+<base64(0x04 ‖ public key)>`. Publish it. */
  readonly verifierKey: string;
  /**
   * Signs with Ed25519 (RFC 8032).
   *
   * @param message - as C2SP tlog-cosignature builds it
   * @returns 64 bytes
   */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/**
 * A cosigner from an Ed25519 seed, which must be used for nothing else: the signed message does not name the witness.
 *
 * @param options - `name`: no white space, no `+`; `privateKey`: the seed, 32 random bytes
 * @throws MedzenError `invalid_configuration` when either is not so
 * @see C2SP tlog-cosignature
 * @example
 * ```ts
 * import { createCosigner } from '@medzen/audit';
 * const cosigner = createCosigner({ name: 'witness.example/w1', privateKey: crypto.getRandomValues(new Uint8Array(32)) });
 * cosigner.verifierKey.startsWith('witness.example/w1+'); // true
 * ```
 */
export function createCosigner(options: { readonly name: string; readonly privateKey: Uint8Array }): Cosigner {
  const { name, privateKey } = options;
  if (!isKeyName(name))
    throw new MedzenError('invalid_configuration', "name must be a valid C2SP key name (no spaces, no '+')");
  if (!(privateKey instanceof Uint8Array) || privateKey.length !== 32)
    throw new MedzenError('invalid_configuration', 'The private key of a witness is a seed of 32 bytes');
  const seed = Uint8Array.from(privateKey);
  return {
    name,
    verifierKey: formatVerifierKey(name, ed25519.getPublicKey(seed), 'cosignature'),
    sign: async (message) => ed25519.sign(message, seed),
  };
}

/**
 * The signature line of a witness over a checkpoint's body. It only signs: whether the tree grew out of the last one seen is for the caller.
 *
 * @param body - with its last newline
 * @returns the line, with its newline
 * @throws MedzenError `internal` when the cosigner gives anything but 64 bytes, or its key is none of a witness
 */
export async function cosign(body: string, cosigner: Cosigner, clock: Clock): Promise<string> {
  const key = parseVerifierKey(cosigner.verifierKey);
  if (key?.type !== 'cosignature') throw new MedzenError('internal', 'The cosigner has no verifier key of a witness');
  const seconds = BigInt(Math.floor(clock.now().getTime() / 1000));
  const signature = await cosigner.sign(cosignedMessage(seconds, new TextEncoder().encode(body)));
  if (signature.length !== 64) throw new MedzenError('internal', 'An Ed25519 signature is 64 bytes');
  return formatSignature({ name: key.name, keyId: key.keyId, signature: cosignaturePayload(seconds, signature) });
}
