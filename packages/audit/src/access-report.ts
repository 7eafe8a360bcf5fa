import { type AuditActor, type AuditEvent, type AuditQuery, type Clock, type Scope, systemClock } from '@medzen/core';
import type { EventPage } from './event-page.ts';
import { pagesUntil } from './verify/until-aborted.ts';

/** Source of an access report: pages of the audit log. */
export interface EventPages {
  /** As `AuditLog.pages`. */
  pages(scope: Scope, query: AuditQuery): AsyncIterable<EventPage>;
}

/** Filters of an access report. */
export interface AccessReportOptions {
  /** Inclusive; the beginning of the log when absent. */
  readonly from?: Date;
  /** Exclusive; without it, all that is there when the report begins. */
  readonly to?: Date;
  /** How many of the latest events to list whole, 0–10 000; 1000 when absent. The people are counted over all. */
  readonly events?: number;
  /** Gives `generatedAt`; the machine's own when absent. */
  readonly clock?: Clock;
  /** Ends the report with its reason, while the store does not answer too. */
  readonly signal?: AbortSignal;
}

/** One party that touched, or tried to touch, the record. */
export interface AccessReportPerson {
  readonly actor: Pick<AuditActor, 'id' | 'type'>;
  /** Every role under which it appears. */
  readonly roles: readonly string[];
  /** Events that succeeded, by action. */
  readonly actions: Readonly<Record<string, number>>;
  /** Events that succeeded. */
  readonly accesses: number;
  readonly denied: number;
  readonly failed: number;
  /** Accesses under `BTG` or `ETREAT`. */
  readonly emergency: number;
  /** RFC 3339; of the earliest and the latest event. */
  readonly first: string;
  readonly last: string;
}

/** Everyone who touched one patient's record. */
export interface AccessReport {
  readonly patient: string;
  /** RFC 3339. */
  readonly generatedAt: string;
  /** By accesses, most first; those who were only refused stand last. */
  readonly people: readonly AccessReportPerson[];
  /** The latest, newest first. */
  readonly events: readonly AuditEvent[];
  /** Events counted, including those not listed. */
  readonly total: number;
  /** Ids of rows that could not be opened, or that were found under what they do not say, at most 1000: see `verifyLog`. */
  readonly damaged: readonly string[];
  /**
   * Pseudonyms in these events whose identity was altered or removed, at most 1000. The report shows the pseudonym and
   * names no person instead. Absent when there are none.
   */
  readonly unproved?: readonly string[];
}

const maxDamaged = 1000;

/**
 * Everyone who touched one patient's record, or was refused it, with the latest events: `AuditLog.accessReport` as a function of its own. Reads
 * page after page and keeps no event but the latest. What a hostile owner of the database hid from searches is missing here too: `verifyLog` finds it,
 * so a report is whole only beside a verification that found nothing. Not the accounting of 45 CFR 164.528: see `accountingOfDisclosures`.
 *
 * @param log - an audit log, or whatever else gives pages of events
 * @param patient - the host's id of the patient
 * @returns the people, most accesses first, and the latest events
 * @throws MedzenError as the log's `pages`
 * @see 45 CFR 164.312(b)
 * @example
 * ```ts
 * import { type AuditLog, accessReport } from '@medzen/audit';
 * async function whoSaw(audit: AuditLog, patient: string): Promise<readonly string[]> {
 *   const { people } = await accessReport(audit, { tenant: 'default' }, patient, { from: new Date('2026-01-01') });
 *   return people.map(({ actor, accesses }) => `${actor.id}: ${accesses}`);
 * }
 * ```
 */
export async function accessReport(
  log: EventPages,
  scope: Scope,
  patient: string,
  options: AccessReportOptions = {},
): Promise<AccessReport> {
  const keep = Math.min(Math.max(options.events ?? 1000, 0), 10_000);
  const people = new Map<string, Tally>();
  const events: AuditEvent[] = [];
  const damaged: string[] = [];
  const unproved = new Set<string>();
  let total = 0;
  const { from, to, clock = systemClock, signal } = options;
  const query = { patient, limit: 1000, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  for await (const page of pagesUntil(signal, log.pages(scope, query))) {
    for (const event of page.events) {
      total++;
      if (events.length < keep) events.push(event);
      const key = `${event.actor.type} ${event.actor.id}`;
      const tally = people.get(key) ?? newTally(event);
      people.set(key, tally);
      count(tally, event);
    }
    damaged.push(...page.damaged.slice(0, maxDamaged - damaged.length));
    for (const pseudonym of page.unproved ?? []) if (unproved.size < maxDamaged) unproved.add(pseudonym);
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
    ...(unproved.size > 0 && { unproved: [...unproved] }),
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
