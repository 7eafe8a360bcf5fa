import { type AccessSummary, type AuditEvent, MedzenError, type MonthlyAccess, type SummaryQuery } from '@medzen/core';

/** Counts what names a patient, by month and actor. */
export function summarizeAccess(events: readonly AuditEvent[], query: SummaryQuery): AccessSummary {
  const { from, to, limit = 10_000 } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
    throw new MedzenError('invalid_input', 'limit must be an integer from 1 to 100,000', { pointers: ['/limit'] });
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime()))
    throw new MedzenError('invalid_input', 'from and to must be valid Dates');
  const tallies = new Map<string, Tally>();
  for (const event of events) {
    const at = Date.parse(event.at);
    if (event.patient === undefined || at < from.getTime() || at >= to.getTime()) continue;
    const month = event.at.slice(0, 7);
    const key = `${month} ${event.actor.id}`;
    const tally = tallies.get(key) ?? newTally(month, event.actor.id);
    tallies.set(key, tally);
    if (event.outcome !== 'success') tally.refused++;
    else {
      tally.accesses++;
      tally.patients.add(event.patient);
      if (event.target !== undefined) tally.types.add(event.target.type.replaceAll('\0', '\ufffd'));
    }
  }
  const lines = [...tallies.values()].map(asLine).sort(byMonth);
  return { lines: lines.slice(0, limit), more: lines.length > limit };
}

interface Tally extends Pick<MonthlyAccess, 'month' | 'actor'> {
  readonly patients: Set<string>;
  readonly types: Set<string>;
  accesses: number;
  refused: number;
}

function newTally(month: string, actor: string): Tally {
  return { month, actor, patients: new Set(), types: new Set(), accesses: 0, refused: 0 };
}

function asLine({ patients, types, ...rest }: Tally): MonthlyAccess {
  const tables = [...types].sort().slice(0, mostTables);
  return { ...rest, patients: patients.size, targetTypes: types.size, tables };
}

const mostTables = 100;

function byMonth(a: MonthlyAccess, b: MonthlyAccess): number {
  if (a.month !== b.month) return a.month < b.month ? 1 : -1;
  return b.accesses - a.accesses || (a.actor < b.actor ? -1 : 1);
}
