import { fromBase64 } from '@medzen/core';
import { hashBytes } from './tree-hasher.ts';

/** Hashes, one a line in base64; undefined when a line is anything else. */
export function readHashLines(lines: readonly string[]): readonly Uint8Array[] | undefined {
  const hashes: Uint8Array[] = [];
  for (const line of lines) {
    if (!/^[A-Za-z0-9+/]{43}=$/.test(line)) return undefined;
    try {
      hashes.push(fromBase64(line));
    } catch {
      return undefined; // bits beyond the last byte
    }
  }
  return hashes.every(({ length }) => length === hashBytes) ? hashes : undefined;
}
