import {
  type Claim,
  type ClaimOptions,
  type ConsentRecord,
  MedzenError,
  mayStillRun,
  type RecordingStore,
  type Scope,
} from '@medzen/core';
import { type Entry, entriesOf, entryOf, type RecordingTables, view, type Work } from './table.ts';

const minute = 60_000;
const day = 1440 * minute;

/** How long a row that was not finished is left alone at most. */
const longest: Readonly<Record<Work['purpose'], number>> = { stop: 5 * minute, transfer: day, deletion: day };

/** How long a row that was not finished is left alone. */
export function backOff({ purpose, attempts }: Pick<Work, 'purpose' | 'attempts'>): number {
  return Math.min(attempts * attempts * minute, longest[purpose]);
}

/**
 * Claims what fits and is free.
 *
 * @param fits - whether there is anything to do for this purpose
 * @param order - first come, first served
 */
export function claim(
  tables: RecordingTables,
  scope: Scope,
  purpose: Work['purpose'],
  options: ClaimOptions & { readonly id?: string },
  fits: (entry: Entry) => boolean,
  order: (entry: Entry) => string,
): Claim[] {
  checkOptions(options);
  const { limit, leaseMs, id } = options;
  const now = tables.now();
  const free = (entry: Entry): boolean => {
    const { work } = entry;
    if (work === undefined) return true;
    if (work.token !== undefined && work.leaseUntil > now) return false;
    return id !== undefined || work.purpose !== purpose || work.offerAt <= now;
  };
  return entriesOf(
    tables,
    scope,
    (a, b) => (order(a) < order(b) ? -1 : 1),
    (entry) => (id === undefined || entry.row.id === id) && fits(entry) && free(entry),
  )
    .slice(0, limit)
    .map((entry) => {
      const before = entry.work?.purpose === purpose ? entry.work.attempts : 0;
      const attempts = before + 1;
      const token = String(++tables.token);
      const leaseUntil = now + leaseMs;
      entry.work = { purpose, token, attempts, leaseUntil, offerAt: leaseUntil + backOff({ purpose, attempts }) };
      return { recording: view(tables, entry), token, attempts };
    });
}

function checkOptions({ limit, leaseMs }: ClaimOptions): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new MedzenError('invalid_input', 'limit must be an integer from 1 to 1000');
  checkLease(leaseMs);
}

function checkLease(leaseMs: number): void {
  if (!(leaseMs >= 1000 && leaseMs <= 3_600_000))
    throw new MedzenError('invalid_input', 'leaseMs must be from 1000 to 3,600,000');
}

/** Claims that stop captures, bring media in or ask providers, and the ways to renew and end a claim. */
export function claims(
  tables: RecordingTables,
): Pick<
  RecordingStore,
  | 'clock'
  | 'claimTransfers'
  | 'claimStops'
  | 'claimReconciliations'
  | 'releaseReconciliation'
  | 'renewClaim'
  | 'releaseClaim'
> {
  return {
    clock: async () => new Date(tables.now()),

    claimTransfers: async (scope, options) =>
      claim(
        tables,
        scope,
        'transfer',
        options,
        ({ row }) => row.state === 'uploading',
        (entry) => turn(entry, 'transfer', entry.row.stateAt),
      ),

    claimStops: async (scope, options) =>
      claim(
        tables,
        scope,
        'stop',
        options,
        ({ row }) => row.stopRequest !== undefined && mayStillRun(row),
        (entry) => turn(entry, 'stop', entry.row.stopRequest?.at ?? ''),
      ),

    claimReconciliations: async (scope, options) => {
      checkOptions(options);
      const { limit, leaseMs, id } = options;
      const now = tables.now();
      const due = entriesOf(tables, scope, byLook, ({ row, look }) => {
        if (look === undefined || (id !== undefined && row.id !== id)) return false;
        return look.after <= now || (id !== undefined && look.token === undefined);
      });
      return due.slice(0, limit).map((entry) => {
        const token = String(++tables.token);
        const attempts = (entry.look?.attempts ?? 0) + 1;
        entry.look = { token, attempts, after: now + leaseMs };
        return { recording: view(tables, entry), token, attempts };
      });
    },

    releaseReconciliation: async (scope, id, token, againSeconds) => {
      if (againSeconds !== null && !(Number.isInteger(againSeconds) && againSeconds >= 1 && againSeconds <= 31_536_000))
        throw new MedzenError('invalid_input', 'A provider is asked again after 1 second to 365 days');
      const entry = entryOf(tables, scope, id);
      if (entry?.look?.token !== token) return;
      const { attempts } = entry.look;
      if (againSeconds === null) delete entry.look;
      else entry.look = { attempts, after: tables.now() + againSeconds * 1000 };
    },

    renewClaim: async (scope, id, token, leaseMs) => {
      checkLease(leaseMs);
      const entry = entryOf(tables, scope, id);
      if (entry?.work?.token !== token) return false;
      const leaseUntil = tables.now() + leaseMs;
      entry.work = { ...entry.work, leaseUntil, offerAt: leaseUntil + backOff(entry.work) };
      return true;
    },

    releaseClaim: async (scope, id, token, failureCode) => {
      const entry = entryOf(tables, scope, id);
      if (entry?.work?.token === token) giveBack(tables, entry, failureCode);
    },
  };
}

/**
 * Place of a row in its queue: since when it waits, or, when that is later, the end of its back-off.
 *
 * @param due - RFC 3339 UTC, in milliseconds
 */
export function turn({ row, work }: Entry, purpose: Work['purpose'], due: string): string {
  const again = work?.purpose === purpose && work.attempts > 0 ? new Date(work.offerAt).toISOString() : '';
  return `${due > again ? due : again}/${row.id}`;
}

/** The longest due first. */
function byLook(a: Entry, b: Entry): number {
  return (a.look?.after ?? 0) - (b.look?.after ?? 0) || (a.row.id < b.row.id ? -1 : 1);
}

/** Ends the claim of a row. With a failure the row waits its back-off from now. */
export function giveBack(tables: RecordingTables, entry: Entry, failureCode?: string): void {
  if (entry.work === undefined) return;
  const { token: _, ...work } = entry.work;
  const now = tables.now();
  entry.work =
    failureCode === undefined
      ? { ...work, attempts: work.attempts - 1, leaseUntil: now, offerAt: 0 }
      : { ...work, leaseUntil: now, offerAt: now + backOff(work) };
}

/** Has every recording of the session stopped that may still run, when the participant takes part in it or takes back what they had given. */
export function requestStops(
  tables: RecordingTables,
  scope: Scope,
  { id, sessionId, participant, at }: ConsentRecord,
  before: ConsentRecord | undefined,
): void {
  for (const entry of entriesOf(tables, scope, () => 0)) {
    const { row } = entry;
    if (row.sessionId !== sessionId || row.stopRequest !== undefined || !mayStillRun(row)) continue;
    // Not a change of revision: what is asked for must not make another's change fail.
    if (before?.decision === 'given' || row.participants.some((one) => one.id === participant))
      entry.row = { ...row, stopRequest: { at, consent: id } };
  }
}
