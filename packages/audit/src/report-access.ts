import type { AuditActor, AuditEvent, AuditQuery, Clock, Scope } from '@medzen/core';
import type { AccessReport, AccessReportOptions, AccessReportPerson } from './access-report.ts';
import type { EventPage } from './event-page.ts';

const maxDamaged = 1000;

/** Reads all pages and counts; keeps no event but the latest. */
export async function reportAccess(
  pages: (scope: Scope, query: AuditQuery) => AsyncIterable<EventPage>,
  scope: Scope,
  patient: string,
  options: AccessReportOptions,
  clock: Clock,
): Promise<AccessReport> {
  const keep = Math.min(Math.max(options.events ?? 1000, 0), 10_000);
  const people = new Map<string, Tally>();
  const events: AuditEvent[] = [];
  const damaged: string[] = [];
  let total = 0;
  const { from, to } = options;
  const query = { patient, limit: 1000, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  for await (const page of pages(scope, query)) {
    for (const event of page.events) {
      total++;
      if (events.length < keep) events.push(event);
      const key = `${event.actor.type} ${event.actor.id}`;
      const tally = people.get(key) ?? newTally(event);
      people.set(key, tally);
      count(tally, event);
    }
    damaged.push(...page.damaged.slice(0, maxDamaged - damaged.length));
  }
  return {
    patient,
    generatedAt: clock.now().toISOString(),
    people: [...people.values()]
      .map(asPerson)
      .sort((a, b) => b.accesses - a.accesses || (a.actor.id < b.actor.id ? -1 : 1)),
    events,
    total,
    damaged,
  };
}

interface Tally {
  readonly actor: Pick<AuditActor, 'id' | 'type'>;
  readonly roles: Set<string>;
  readonly actions: Map<string, number>;
  accesses: number;
  denied: number;
  failed: number;
  emergency: number;
  first: string;
  last: string;
}

function newTally({ actor: { id, type }, at }: AuditEvent): Tally {
  const zero = { accesses: 0, denied: 0, failed: 0, emergency: 0 };
  return { actor: { id, type }, roles: new Set(), actions: new Map(), ...zero, first: at, last: at };
}

function count(tally: Tally, event: AuditEvent): void {
  if (event.actor.role !== undefined) tally.roles.add(event.actor.role);
  if (event.at < tally.first) tally.first = event.at;
  if (event.at > tally.last) tally.last = event.at;
  if (event.outcome === 'denied') tally.denied++;
  else if (event.outcome === 'failed') tally.failed++;
  else {
    tally.accesses++;
    tally.actions.set(event.action, (tally.actions.get(event.action) ?? 0) + 1);
    if (event.purpose === 'BTG' || event.purpose === 'ETREAT') tally.emergency++;
  }
}

function asPerson({ roles, actions, ...rest }: Tally): AccessReportPerson {
  return { ...rest, roles: [...roles].sort(), actions: Object.fromEntries([...actions].sort()) };
}
