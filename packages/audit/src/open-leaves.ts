import { type AuditEvent, type LogLeaf, openEvent } from '@medzen/core';

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
    const event = body === undefined ? undefined : tryOpen(body);
    if (body !== undefined && event?.id === eventId) events.push({ index, event, body });
    else if (body === undefined && gone === true) purged++;
    else damaged.push({ index, eventId });
  }
  return { events, purged, damaged };
}

/** Whatever bytes stand there: what follows relies on these members. */
function tryOpen(body: Uint8Array): AuditEvent | undefined {
  try {
    const event = openEvent(body);
    const whole =
      typeof event.tenant === 'string' && typeof event.actor?.id === 'string' && !Number.isNaN(Date.parse(event.at));
    return whole ? event : undefined;
  } catch {
    return undefined; // altered bytes
  }
}
