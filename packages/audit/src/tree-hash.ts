import { MedzenError, sha256 } from '@medzen/core';
import { createTreeHasher, hashBytes } from './tree-hasher.ts';

const leafPrefix: Uint8Array = Uint8Array.of(0x00);
const nodePrefix: Uint8Array = Uint8Array.of(0x01);

/**
 * The hash of a leaf: SHA-256(0x00 ‖ body).
 *
 * @param body - the event's RFC 8785 bytes, any length
 * @returns 32 bytes
 * @see RFC 6962 §2.1
 * @example
 * ```ts
 * import { leafHash } from '@medzen/audit';
 * leafHash(new TextEncoder().encode('{"v":1}')).length; // 32
 * ```
 */
export function leafHash(body: Uint8Array): Uint8Array {
  return sha256(leafPrefix, body);
}

/**
 * The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
 *
 * @param left - 32 bytes
 * @param right - 32 bytes
 * @returns 32 bytes
 * @throws MedzenError `invalid_input` when one is not 32 bytes
 * @see RFC 6962 §2.1
 * @example
 * ```ts
 * import { leafHash, nodeHash } from '@medzen/audit';
 * const [left, right] = [leafHash(Uint8Array.of(1)), leafHash(Uint8Array.of(2))];
 * nodeHash(left, right).length; // 32
 * ```
 */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== hashBytes || right.length !== hashBytes) throw notAHash();
  return sha256(nodePrefix, left, right);
}

/**
 * The root over leaf hashes; SHA-256 of nothing for none.
 *
 * @param leafHashes - in leaf order, each exactly 32 bytes
 * @returns 32 bytes
 * @throws MedzenError `invalid_input` when one is not 32 bytes
 * @see RFC 6962 §2.1
 * @example
 * ```ts
 * import { leafHash, treeHash } from '@medzen/audit';
 * const bodies = ['a', 'b', 'c'].map((text) => new TextEncoder().encode(text));
 * treeHash(bodies.map(leafHash)).length; // 32
 * ```
 */
export function treeHash(leafHashes: readonly Uint8Array[]): Uint8Array {
  const flat = new Uint8Array(leafHashes.length * hashBytes);
  leafHashes.forEach((hash, i) => {
    if (hash.length !== hashBytes) throw notAHash();
    flat.set(hash, i * hashBytes);
  });
  return createTreeHasher().fold(flat, leafHashes.length);
}

function notAHash(): MedzenError {
  return new MedzenError('invalid_input', `Hashes must be ${hashBytes} bytes`);
}
