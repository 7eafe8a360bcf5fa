import {
  type AuditEvent,
  type AuditPage,
  type AuditQuery,
  openStoredEvent,
  revealIdentities,
  type Scope,
} from '@medzen/core';
import type { EventPage } from './event-page.ts';

/**
 * Opens what can be opened, and says who is meant by pseudonyms, where that is proved and not erased. One damaged row must not hide the others, nor
 * pass for an event: nor one that was found under another tenant's, patient's or person's name than its bytes say.
 */
export function openPage(page: AuditPage, scope: Scope, query: AuditQuery): EventPage {
  const events: AuditEvent[] = [];
  const damaged: string[] = [];
  const doubtful = new Set(page.doubtful);
  for (const { id, body } of page.events) {
    const stored = openStoredEvent(body, id);
    const event = stored && page.identities ? revealIdentities(stored, page.identities) : stored;
    if (stored === undefined || event === undefined || doubtful.has(id) || !answers(stored, event, scope, query))
      damaged.push(id);
    else events.push(event);
  }
  return {
    events,
    damaged,
    ...(page.unproved !== undefined && { unproved: page.unproved }),
    ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
  };
}

/**
 * True when an event matches the query, in clear or as the log holds it. A store searches columns, which someone may
 * have altered.
 */
function answers(stored: AuditEvent, event: AuditEvent, scope: Scope, query: AuditQuery): boolean {
  const { patient, actor, action, outcome, purpose, targetType, targetId, from, to } = query;
  const says = (asked: string | readonly string[] | undefined, ...said: readonly (string | undefined)[]): boolean =>
    asked === undefined ||
    [asked].flat().some((one) => said.some((text) => text !== undefined && withoutNul(text) === withoutNul(one)));
  const at = Date.parse(event.at);
  return (
    event.tenant === scope.tenant &&
    (says(patient, stored.patient, event.patient) || isBulkWrite(event)) &&
    says(actor, stored.actor.id, event.actor.id) &&
    says(action, event.action) &&
    says(outcome, event.outcome) &&
    says(purpose, event.purpose) &&
    says(targetType, event.target?.type) &&
    says(targetId, stored.target?.id, event.target?.id) &&
    (from === undefined || at >= from.getTime()) &&
    (to === undefined || at < to.getTime())
  );
}

/** One that names no patient, and is found by the rows that it touched: the store compares those with its hash. */
function isBulkWrite({ patient, detail }: AuditEvent): boolean {
  return patient === undefined && typeof detail?.rowsHash === 'string';
}

/** As a database holds it. */
function withoutNul(text: string): string {
  return text.replaceAll('\u0000', '\ufffd');
}
