import { type AuditEvent, type LogLeaf, openStoredEvent } from '@medzen/core';

/** An event at its place in the log. */
export interface LogEvent {
  /** Of its leaf. */
  readonly index: number;
  readonly event: AuditEvent;
  /** The bytes of the leaf. */
  readonly body: Uint8Array;
}

/** A leaf whose event cannot be had. */
export interface LostLeaf {
  readonly index: number;
  readonly eventId: string;
}

/** What of some leaves can be had. */
export interface OpenedLeaves {
  readonly events: readonly LogEvent[];
  /** How many events had been purged, with proof. */
  readonly purged: number;
  /** Removed or altered behind the log's back: see `verifyLog`. Bytes that open as the event are not held against the tree here. */
  readonly damaged: readonly LostLeaf[];
}

/** Opens what can be opened, in order. */
export function openLeaves(leaves: readonly LogLeaf[]): OpenedLeaves {
  const events: LogEvent[] = [];
  const damaged: LostLeaf[] = [];
  let purged = 0;
  for (const { index, eventId, body, purged: gone } of leaves) {
    const event = body === undefined ? undefined : openStoredEvent(body, eventId);
    if (body !== undefined && event !== undefined) events.push({ index, event, body });
    else if (body === undefined && gone === true) purged++;
    else damaged.push({ index, eventId });
  }
  return { events, purged, damaged };
}
