import { verifies } from './ed25519.ts';

/** Seconds that a `Date` can hold. */
const maxSeconds = 8_640_000_000_000n;

/**
 * The bytes a witness signs: that at this time it knew of no larger tree of this log, and that this one grew out of what it had seen.
 *
 * @param seconds - since 1970, ≥ 0
 * @param body - the checkpoint's body, with its last newline
 * @see C2SP tlog-cosignature, “Ed25519 signed message”
 */
export function cosignedMessage(seconds: bigint, body: Uint8Array): Uint8Array {
  const header = new TextEncoder().encode(`cosignature/v1\ntime ${seconds}\n`);
  const message = new Uint8Array(header.length + body.length);
  message.set(header);
  message.set(body, header.length);
  return message;
}

/** The payload of a cosignature: the time as a big-endian 64-bit integer, then the Ed25519 signature. */
export function cosignaturePayload(seconds: bigint, signature: Uint8Array): Uint8Array {
  const payload = new Uint8Array(8 + signature.length);
  new DataView(payload.buffer).setBigUint64(0, seconds);
  payload.set(signature, 8);
  return payload;
}

/**
 * Verifies a cosignature.
 *
 * @param payload - 72 bytes, of whatever origin
 * @returns the time it was made; undefined when it does not hold, or its time is beyond what a clock can show
 */
export function cosignatureTime(publicKey: Uint8Array, body: Uint8Array, payload: Uint8Array): Date | undefined {
  if (payload.length !== 72) return undefined;
  const seconds = new DataView(payload.buffer, payload.byteOffset).getBigUint64(0);
  if (seconds > maxSeconds || !verifies(publicKey, cosignedMessage(seconds, body), payload.subarray(8)))
    return undefined;
  return new Date(Number(seconds) * 1000);
}
