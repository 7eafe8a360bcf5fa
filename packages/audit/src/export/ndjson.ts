import { type AuditEvent, canonicalize } from '@medzen/core';

/** The line of one event: its canonical bytes. */
export function ndjsonLine(event: AuditEvent): string {
  return `${canonicalize(event)}\n`;
}

/**
 * Writes events one a line, whole and in their canonical form (RFC 8785), which is the leaf of the log: SHA-256 of a zero byte and the line
 * without its line end is the event's leaf hash, so that evidence can be held against an export. Holds everything, `reason` and `disclosure` too.
 *
 * @param events - all at once; for many use `exportEvents`
 * @returns the text, lines ended by LF
 * @throws MedzenError `invalid_input` for what is no event that was ever sealed
 * @see RFC 8785; https://github.com/ndjson/ndjson-spec
 * @example
 * ```ts
 * import { toNdjson } from '@medzen/audit';
 * import type { EventPage } from '@medzen/audit';
 * const lines = (page: EventPage): string => toNdjson(page.events);
 * ```
 */
export function toNdjson(events: Iterable<AuditEvent>): string {
  let text = '';
  for (const event of events) text += ndjsonLine(event);
  return text;
}
