import { MedzenError, type RecordingStore } from '@medzen/core';
import { claim } from './claims.ts';
import {
  activeHolds,
  commit,
  decisionIsFresh,
  deletableAt,
  type Entry,
  entriesOf,
  entryOf,
  mayEnd,
  mayFollow,
  type RecordingTables,
  revisionOf,
  view,
} from './table.ts';

type Sweep = Pick<
  RecordingStore,
  'dueWarnings' | 'recordWarning' | 'dueArchives' | 'claimExpired' | 'beginDeletion' | 'finishDeletion'
>;

/** What is done to recordings because time has passed. */
export function sweep(tables: RecordingTables): Sweep {
  return {
    dueWarnings: async (scope, now, limit) =>
      entriesOf(tables, scope, byDeadline)
        .filter(({ row, warnedAt }) => {
          const { warnAt, graceUntil } = row.decision ?? {};
          if (row.state === 'deleting' || row.state === 'deleted' || graceUntil === undefined) return false;
          return hasCome(warnAt, now) && warnedAt === undefined;
        })
        .slice(0, limit)
        .map((entry) => view(tables, entry)),

    recordWarning: async (scope, id, deadline, event) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      const ending = entry.row.state === 'deleting' || entry.row.state === 'deleted';
      if (ending || entry.row.decision?.graceUntil !== deadline) return { status: 'stale' };
      if (entry.warnedAt !== undefined) return { status: 'repeated' };
      tables.events.plan(scope, [event])();
      entry.warnedAt = tables.now();
      return { status: 'recorded' };
    },

    dueArchives: async (scope, now, rulesVersion, limit) =>
      entriesOf(tables, scope, byDeadline)
        .filter(
          (entry) =>
            entry.row.state === 'available' &&
            hasCome(entry.row.decision?.retainUntil, now) &&
            decisionIsFresh(tables, entry, rulesVersion),
        )
        .slice(0, limit)
        .map((entry) => view(tables, entry)),

    claimExpired: async (scope, now, rulesVersion, options) =>
      claim(
        tables,
        scope,
        'deletion',
        options,
        (entry) =>
          entry.row.state === 'deleting' ||
          (mayFollow(entry.row.state, 'deleting') &&
            hasCome(deletableAt(entry), now) &&
            mayEnd(entry, now) &&
            activeHolds(tables, entry) === 0 &&
            decisionIsFresh(tables, entry, rulesVersion)),
        (entry) => (entry.row.state === 'deleting' ? deadline(entry) : `${deletableAt(entry)}/${entry.row.id}`),
      ),

    beginDeletion: async (scope, id, intent, event) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      if (entry.work?.token !== intent.token) return { status: 'lease_lost' };
      if (entry.row.state === 'deleting') return { status: 'begun', recording: view(tables, entry) };
      if (activeHolds(tables, entry) > 0) return { status: 'held' };
      if (
        !decisionIsFresh(tables, entry, intent.rulesVersion) ||
        intent.factsRevision !== revisionOf(tables, scope, entry.row.patient)
      )
        return { status: 'stale' };
      if (
        !hasCome(deletableAt(entry), intent.now) ||
        !mayEnd(entry, intent.now) ||
        !mayFollow(entry.row.state, 'deleting')
      )
        return { status: 'not_due' };
      commit(tables, entry, event, { state: 'deleting', stateAt: intent.now.toISOString() });
      return { status: 'begun', recording: view(tables, entry) };
    },

    finishDeletion: async (scope, id, token, tombstone, event) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      if (entry.row.state === 'deleted') return { status: 'already_deleted' };
      if (entry.work?.token !== token) return { status: 'lease_lost' };
      if (entry.row.state !== 'deleting')
        throw new MedzenError('invalid_transition', 'The deletion was not begun', { retryable: false });
      commit(tables, entry, event, { state: 'deleted', stateAt: tombstone.deletedAt, tombstone }, ['media', 'object']);
      delete entry.work;
      return { status: 'finished', recording: view(tables, entry) };
    },
  };
}

function hasCome(instant: string | undefined, now: Date): boolean {
  return instant !== undefined && Date.parse(instant) <= now.getTime();
}

/** A row that is `deleting` without a decision goes first. */
function deadline({ row }: Entry): string {
  return `${row.decision?.graceUntil ?? ''}/${row.id}`;
}

function byDeadline(a: Entry, b: Entry): number {
  return deadline(a) < deadline(b) ? -1 : 1;
}
