import { type AuditEvent, type AuditStore, openEvent } from '@medzen/core';

/** Every event of a tenant, oldest first. */
export async function eventsOf(audit: AuditStore, tenant = 'default'): Promise<readonly AuditEvent[]> {
  const page = await audit.search({ tenant }, { limit: 1000 });
  return page.events.map((event) => openEvent(event.body)).reverse();
}
