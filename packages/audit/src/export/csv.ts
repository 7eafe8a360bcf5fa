import { type AuditEvent, canonicalize } from '@medzen/core';

/** The columns, in the order in which they will always stand; a new one comes last. */
const columns: readonly (readonly [name: string, value: (event: AuditEvent) => string | undefined])[] = [
  ['id', ({ id }) => id],
  ['at', ({ at }) => at],
  ['tenant', ({ tenant }) => tenant],
  ['action', ({ action }) => action],
  ['kind', ({ kind }) => kind],
  ['outcome', ({ outcome }) => outcome],
  ['actor_id', ({ actor }) => actor.id],
  ['actor_type', ({ actor }) => actor.type],
  ['actor_role', ({ actor }) => actor.role],
  ['on_behalf_of', ({ actor }) => actor.onBehalfOf],
  ['patient', ({ patient }) => patient],
  ['target_type', ({ target }) => target?.type],
  ['target_id', ({ target }) => target?.id],
  ['fields', ({ fields }) => fields?.join(' ')],
  ['purpose', ({ purpose }) => purpose],
  ['ip', ({ source }) => source.ip],
  ['user_agent', ({ source }) => source.userAgent],
  ['session_id', ({ source }) => source.sessionId],
  ['request_id', ({ source }) => source.requestId],
  ['trace_id', ({ source }) => source.traceId],
  ['detail', ({ detail }) => (detail === undefined ? undefined : canonicalize(detail))],
];

/**
 * Where a spreadsheet might begin to read a formula: at the beginning of a cell, and behind whatever it may take for the end of one (a
 * spreadsheet in a country that writes `;` for `,` does).
 */
const formula = /((?:^|[,;|\t\r\n])[\s"']*)(?=[=+\-@＝＋－＠])/g;
/** What a spreadsheet skips before it reads. */
const skipped = /^(?=[\t\r\n\0])/;

/** One record, with its line end. Missing columns are empty. */
export function csvRecord(cells: readonly (string | undefined)[]): string {
  const row = columns.map(
    (_, i) => `"${(cells[i] ?? '').replace(formula, "$1'").replace(skipped, "'").replaceAll('"', '""')}"`,
  );
  return `${row.join(',')}\r\n`;
}

/** The first line. */
export const csvHeader: string = csvRecord(columns.map(([name]) => name));

/** The line of one event. */
export function csvLine(event: AuditEvent): string {
  return csvRecord(columns.map(([, value]) => value(event)));
}

/**
 * Writes events for a spreadsheet: RFC 4180, a header, every cell in quotes, columns always in the same order. A cell that a spreadsheet could
 * take for a formula gets an apostrophe before it, as OWASP advises; so a CSV file is for people, and `toNdjson` for proofs. Ids, codes and
 * names of fields only: the `reason`, names of people and the `disclosure` stay behind.
 *
 * @param events - all at once; for many use `exportEvents`
 * @returns the text, lines ended by CR LF
 * @see RFC 4180; https://owasp.org/www-community/attacks/CSV_Injection
 * @example
 * ```ts
 * import { toCsv } from '@medzen/audit';
 * import type { EventPage } from '@medzen/audit';
 * const table = (page: EventPage): string => toCsv(page.events);
 * ```
 */
export function toCsv(events: Iterable<AuditEvent>): string {
  let text = csvHeader;
  for (const event of events) text += csvLine(event);
  return text;
}
