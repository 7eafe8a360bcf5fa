import { hmac as nobleHmac } from '@noble/hashes/hmac.js';
import { sha1 as nobleSha1 } from '@noble/hashes/legacy.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

/**
 * Synchronous hashes. WebCrypto answers with a promise a call, which costs ten times the hash itself when a tree of
 * millions is verified. Node, Deno, Bun and workerd have `process.getBuiltinModule`; elsewhere `@noble/hashes` does it.
 */
type NodeCrypto = Pick<typeof import('node:crypto'), 'createHash' | 'createHmac' | 'hash'>;

function nodeCrypto(): NodeCrypto | undefined {
  const host = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }; // absent in browsers
  return host.process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined; // the module under that name
}

const native: NodeCrypto | undefined = nodeCrypto();

function own(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/**
 * SHA-256 of the concatenation of the parts (FIPS 180-4).
 *
 * @param parts - any number of byte arrays
 * @returns 32 bytes
 * @example
 * ```ts
 * import { sha256, toHex } from '@medzen/core';
 * toHex(sha256(new TextEncoder().encode('abc'))); // 'ba7816bf…'
 * ```
 */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  if (native === undefined) {
    const hash = nobleSha256.create();
    for (const part of parts) hash.update(part);
    return hash.digest();
  }
  const hash = native.createHash('sha256');
  for (const part of parts) hash.update(part);
  return own(hash.digest());
}

/**
 * SHA-256 of one array, written into another. For trees of millions: no array a hash, and Node's one-shot function with a
 * text result, which is three times as fast as a hash object (measured on Node 24: 3.6 against 1.0 million a second).
 *
 * @param input - any length
 * @param target - where the 32 bytes go; may overlap `input`
 * @param offset - index of the first of them in `target`, 0 to `target.length` − 32
 */
export function sha256Into(input: Uint8Array, target: Uint8Array, offset: number): void {
  if (native?.hash === undefined) {
    target.set(sha256(input), offset);
    return;
  }
  const digest = native.hash('sha256', input, 'binary');
  for (let i = 0; i < 32; i++) target[offset + i] = digest.charCodeAt(i);
}

/** An incremental SHA-256, for streams. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** 32 bytes. Call once. */
  digest(): Uint8Array;
}

/** Starts an incremental SHA-256. */
export function sha256Hasher(): Hasher {
  const hash = native === undefined ? nobleSha256.create() : native.createHash('sha256');
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    digest: () => own(hash.digest()),
  };
}

/**
 * HMAC-SHA-256 (RFC 2104).
 *
 * @returns 32 bytes
 */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  if (native === undefined) return nobleHmac(nobleSha256, key, data);
  return own(native.createHmac('sha256', key).update(data).digest());
}

/**
 * HMAC-SHA-1, only because Twilio signs its callbacks with it.
 *
 * @returns 20 bytes
 */
export function hmacSha1(key: Uint8Array, data: Uint8Array): Uint8Array {
  if (native === undefined) return nobleHmac(nobleSha1, key, data);
  return own(native.createHmac('sha1', key).update(data).digest());
}

/**
 * Compares two byte arrays in time that depends on their length only.
 *
 * @returns false at once when the lengths differ: the length is not the secret
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
