import type { AuditAction, Recording } from '@medzen/core';

/**
 * The action of a change. The end of a capture is one fact, so it is one action, `recording.stop`, whatever ended it; and since
 * only one change of a row can be the first to say when it ended, it is written once.
 *
 * @param otherwise - the action of a change that ends no capture
 */
export function actionOf(
  row: Pick<Recording, 'endedAt'>,
  change: { readonly endedAt?: string },
  otherwise: AuditAction,
): AuditAction {
  return endsCapture(row, change) ? 'recording.stop' : otherwise;
}

/** True when this change is the first to say when the capture ended. */
function endsCapture(row: Pick<Recording, 'endedAt'>, change: { readonly endedAt?: string }): boolean {
  return row.endedAt === undefined && change.endedAt !== undefined;
}

/**
 * When a capture ended: the earliest that anybody said, but not before it started, whatever the clocks of providers say.
 *
 * @param at - what is said now, RFC 3339
 */
export function endOf(
  { startedAt, capturedAt = startedAt, endedAt }: Pick<Recording, 'startedAt' | 'capturedAt' | 'endedAt'>,
  at: string,
): string {
  const said = Date.parse(at) < Date.parse(capturedAt) ? capturedAt : at;
  return endedAt !== undefined && Date.parse(endedAt) <= Date.parse(said) ? endedAt : said;
}
