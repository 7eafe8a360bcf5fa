const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes an `application/x-www-form-urlencoded` body. Signature checks and readers of the same body both use it, so that what was verified
 * is what is read: a byte order mark stays part of the first name, and a leading `?` is not dropped.
 *
 * @param body - raw bytes
 * @returns the pairs in order, or undefined when the bytes are not UTF-8
 * @see https://url.spec.whatwg.org/#concept-urlencoded-parser
 * @example
 * ```ts
 * import { decodeForm } from '@medzen/core/webhooks';
 * decodeForm(new TextEncoder().encode('RoomSid=RM1'))?.get('RoomSid'); // 'RM1'
 * ```
 */
export function decodeForm(body: Uint8Array): URLSearchParams | undefined {
  try {
    return formPairs(decoder.decode(body));
  } catch {
    return undefined;
  }
}

/** Splits form text into pairs. `URLSearchParams` would drop a leading `?`; the `&` keeps it, and adds no pair of its own. */
export function formPairs(text: string): URLSearchParams {
  return new URLSearchParams(`&${text}`);
}
