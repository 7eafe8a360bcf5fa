import { type IdentityStore, pseudonymPattern, replaceIdentities, revealIdentities } from '@medzen/core';
import type { LogEvent, OpenedLeaves } from './open-leaves.ts';

const atOnce = 10_000;

/** The same events with clear values in place of pseudonyms, but of erased identities; `body` stays the bytes of the leaf. */
export async function revealLeaves(
  opened: OpenedLeaves,
  identities: Pick<IdentityStore, 'reveal'> | undefined,
): Promise<OpenedLeaves> {
  if (identities === undefined) return opened;
  const byTenant = new Map<string, Set<string>>();
  for (const { event } of opened.events)
    replaceIdentities(event, ({ value }) => {
      if (!pseudonymPattern.test(value)) return value;
      const tenant = event.tenant ?? '';
      byTenant.set(tenant, (byTenant.get(tenant) ?? new Set()).add(value));
      return value;
    });
  const values = new Map<string, Record<string, string>>();
  for (const [tenant, pseudonyms] of byTenant) {
    const asked = [...pseudonyms];
    const known: Record<string, string> = {};
    for (let i = 0; i < asked.length; i += atOnce)
      Object.assign(known, await identities.reveal({ tenant }, asked.slice(i, i + atOnce)));
    values.set(tenant, known);
  }
  const reveal = (one: LogEvent): LogEvent => {
    const known = values.get(one.event.tenant ?? '');
    return known === undefined ? one : { ...one, event: revealIdentities(one.event, known) };
  };
  return { ...opened, events: opened.events.map(reveal) };
}
