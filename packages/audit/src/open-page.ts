import { type AuditEvent, type AuditPage, openStoredEvent, revealIdentities } from '@medzen/core';
import type { EventPage } from './event-page.ts';

/** Opens what can be opened, and says who is meant by pseudonyms, where that is not erased. One damaged row must not hide the others, nor pass for an event. */
export function openPage(page: AuditPage): EventPage {
  const events: AuditEvent[] = [];
  const damaged: string[] = [];
  for (const { id, body } of page.events) {
    const event = openStoredEvent(body, id);
    if (event === undefined) damaged.push(id);
    else events.push(page.identities === undefined ? event : revealIdentities(event, page.identities));
  }
  return { events, damaged, ...(page.cursor === undefined ? {} : { cursor: page.cursor }) };
}
