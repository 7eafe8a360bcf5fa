import { sha256, toHex } from '@medzen/core';

/**
 * RFC 6962 by its definition, recursively and without tiles: the independent statement that log cases compare with.
 *
 * @see RFC 6962 §2.1
 */
export function modelRoot(leafHashes: readonly Uint8Array[]): Uint8Array {
  const [only] = leafHashes;
  if (only === undefined) return sha256();
  if (leafHashes.length === 1) return only;
  let split = 1;
  while (split * 2 < leafHashes.length) split *= 2;
  return sha256(Uint8Array.of(1), modelRoot(leafHashes.slice(0, split)), modelRoot(leafHashes.slice(split)));
}

/** The leaf hash of a body. */
export function modelLeaf(body: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0), body);
}

/** A checkpoint's text without a real signature: stores keep it, they do not read it. */
export function modelCheckpoint(size: number, root: Uint8Array): string {
  return `contract.example/log\n${size}\n${toHex(root)}\n\n— contract.example/log AAAA\n`;
}
