import { ed25519 } from '@noble/curves/ed25519.js';

/** Whether a signature holds: RFC 8032, not the laxer rule of consensus systems. Never throws. */
export function verifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false; // a key that is no point of the curve
  }
}
