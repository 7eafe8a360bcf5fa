import { hmacSha256, sha256, toHex } from '@medzen/core';

/**
 * The two hashes of a presigned URL, in their cheapest form. `createHmac` sets a key up anew at each call and costs ten
 * times the hashes themselves (Node 24: 0.1 against 1.1 million a second), so where Node's one-shot `hash` exists an HMAC
 * is made of two of them over prepared blocks (RFC 2104 §4 allows exactly that). Elsewhere core's own functions do it.
 */
type NodeParts = {
  readonly hash: typeof import('node:crypto').hash;
  readonly Buffer: typeof import('node:buffer').Buffer;
};

function nodeParts(): NodeParts | undefined {
  const host = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }; // absent in browsers
  const crypto = host.process?.getBuiltinModule?.('node:crypto') as Partial<typeof import('node:crypto')> | undefined; // the module under that name
  const buffer = host.process?.getBuiltinModule?.('node:buffer') as Partial<typeof import('node:buffer')> | undefined; // the module under that name
  if (crypto?.hash === undefined || buffer?.Buffer === undefined) return undefined;
  return { hash: crypto.hash, Buffer: buffer.Buffer };
}

const native: NodeParts | undefined = nodeParts();
const encoder: TextEncoder = new TextEncoder();
const block = 64;

/** SHA-256 of a text as UTF-8, in lower-case hexadecimal. */
export function sha256Hex(text: string): string {
  return native === undefined ? toHex(sha256(encoder.encode(text))) : native.hash('sha256', text, 'hex');
}

/**
 * Prepares HMAC-SHA-256 over `prefix` followed by 64 characters.
 *
 * @param key - up to 64 bytes
 * @param prefix - ASCII
 * @returns a function of the 64 ASCII characters, answering lower-case hexadecimal. Not to be shared between threads.
 */
export function prepareHmac(key: Uint8Array, prefix: string): (tail: string) => string {
  if (native === undefined) return (tail) => toHex(hmacSha256(key, encoder.encode(prefix + tail)));
  const { hash, Buffer } = native;
  const inner = Buffer.alloc(block + prefix.length + 64, 0x36, 'latin1');
  const outer = Buffer.alloc(block + 32, 0x5c, 'latin1');
  for (let i = 0; i < block; i++) {
    const byte = key[i] ?? 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  inner.write(prefix, block, 'latin1');
  const at = block + prefix.length;
  return (tail) => {
    inner.write(tail, at, 64, 'latin1');
    outer.write(hash('sha256', inner, 'binary'), block, 32, 'latin1');
    return hash('sha256', outer, 'hex');
  };
}
