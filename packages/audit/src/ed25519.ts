import { ed25519 } from '@noble/curves/ed25519.js';

/** Verifies an Ed25519 signature by RFC 8032, not by the laxer consensus rules. Never throws. */
export function verifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false; // a key that is no point of the curve
  }
}
