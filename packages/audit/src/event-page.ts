import type { AuditEvent } from '@medzen/core';

/** One page of opened events, newest first. */
export interface EventPage {
  readonly events: readonly AuditEvent[];
  /**
   * Ids of rows whose bytes are no event, or another one's, or that were found under what they do not say: something was altered behind the log's
   * back. See `verifyLog`.
   */
  readonly damaged: readonly string[];
  /**
   * Pseudonyms in these events whose identity was altered or removed, though the log records no erasure: the events show the pseudonym, and nobody is
   * named in its stead. Absent when there are none.
   */
  readonly unproved?: readonly string[];
  /** Give it to the next search; absent on the last page. */
  readonly cursor?: string;
}
