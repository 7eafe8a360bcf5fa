import type { AuditEvent } from '@medzen/core';

/** One page of opened events, newest first. */
export interface EventPage {
  readonly events: readonly AuditEvent[];
  /** Ids of rows whose bytes are no event, or another one's: something was altered behind the log's back. See `verifyLog`. */
  readonly damaged: readonly string[];
  /** Give it to the next search; absent on the last page. */
  readonly cursor?: string;
}
