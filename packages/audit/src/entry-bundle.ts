import { MedzenError } from '@medzen/core';

const lengthBytes = 2;

/**
 * Entries one after the other, each behind its length as a big-endian 16-bit integer.
 *
 * @param entries - each ≤ 65 535 bytes
 * @see C2SP tlog-tiles, “Log entries”
 */
export function formatEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bundle = new Uint8Array(entries.reduce((sum, { length }) => sum + lengthBytes + length, 0));
  const view = new DataView(bundle.buffer);
  let at = 0;
  for (const entry of entries) {
    if (entry.length > 0xffff) throw new MedzenError('invalid_input', 'An entry has at most 65 535 bytes');
    view.setUint16(at, entry.length);
    bundle.set(entry, at + lengthBytes);
    at += lengthBytes + entry.length;
  }
  return bundle;
}

/** Takes a bundle apart; undefined when a length leads past its end. */
export function parseEntryBundle(bundle: Uint8Array): readonly Uint8Array[] | undefined {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length; ) {
    if (at + lengthBytes > bundle.length) return undefined;
    const end = at + lengthBytes + view.getUint16(at);
    if (end > bundle.length) return undefined;
    entries.push(bundle.subarray(at + lengthBytes, end));
    at = end;
  }
  return entries;
}
