const decoder = new TextDecoder();

/**
 * Whether a body is of the event whose id its row carries. A look for the member's bytes, not a parse: it would cost as much as the hash,
 * and canonical JSON writes the member in one way only.
 */
export function holdsId(body: Uint8Array, eventId: string): boolean {
  return decoder.decode(body).includes(`"id":"${eventId}"`);
}
