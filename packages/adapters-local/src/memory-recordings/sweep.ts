import type { PostponedQueue, RecordingStore } from '@medzen/core';
import { backOff } from './claims.ts';
import {
  decisionIsFresh,
  type Entry,
  entriesOf,
  entryOf,
  type RecordingTables,
  type StoredRow,
  view,
  type Work,
} from './table.ts';

type Sweep = Pick<
  RecordingStore,
  'dueWarnings' | 'recordWarning' | 'dueArchives' | 'dueDiscards' | 'postpone' | 'countPostponed'
>;

/** What is done to recordings because time has passed. */
export function sweep(tables: RecordingTables): Sweep {
  return {
    dueWarnings: async (scope, now, limit) =>
      entriesOf(
        tables,
        scope,
        byTurn('warning', ({ decision }) => decision?.warnAt),
        (entry) => {
          const { row, warnedAt } = entry;
          const { warnAt, graceUntil } = row.decision ?? {};
          if (isPostponed(entry, 'warning', now)) return false;
          if (row.state === 'deleting' || row.state === 'deleted' || graceUntil === undefined) return false;
          return hasCome(warnAt, now) && warnedAt === undefined;
        },
      )
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
      entry.postponed.delete('warning');
      return { status: 'recorded' };
    },

    dueArchives: async (scope, now, rulesVersion, limit) =>
      entriesOf(
        tables,
        scope,
        byTurn('archive', ({ decision }) => decision?.retainUntil),
        (entry) =>
          entry.row.state === 'available' &&
          !isPostponed(entry, 'archive', now) &&
          hasCome(entry.row.decision?.retainUntil, now) &&
          decisionIsFresh(tables, entry, rulesVersion),
      )
        .slice(0, limit)
        .map((entry) => view(tables, entry)),

    dueDiscards: async (scope, failureCode, now, limit) =>
      entriesOf(
        tables,
        scope,
        byTurn('discard', ({ startedAt }) => startedAt),
        (entry) =>
          (entry.row.state === 'available' || entry.row.state === 'archived') &&
          entry.row.failure?.code === failureCode &&
          !isPostponed(entry, 'discard', now),
      )
        .slice(0, limit)
        .map((entry) => view(tables, entry)),

    postpone: async (scope, id, queue, _, now) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return undefined;
      const attempts = (entry.postponed.get(queue)?.attempts ?? 0) + 1;
      const until = now.getTime() + backOff({ purpose: 'deletion', attempts });
      entry.postponed.set(queue, { attempts, until });
      return { attempts, until: new Date(until).toISOString() };
    },

    countPostponed: async (scope, now) => {
      const rows = entriesOf(tables, scope, byStart);
      const waiting = (queue: PostponedQueue): number =>
        Math.min(1000, rows.filter((entry) => isPostponed(entry, queue, now)).length);
      const failed = rows.filter(
        ({ work }) => work?.purpose === 'deletion' && work.attempts > 0 && work.offerAt > tables.now() && isFree(work),
      );
      return {
        warning: waiting('warning'),
        archive: waiting('archive'),
        discard: waiting('discard'),
        deletion: Math.min(1000, failed.length),
      };
      function isFree({ token, leaseUntil }: Work): boolean {
        return token === undefined || leaseUntil <= tables.now();
      }
    },
  };
}

function isPostponed({ postponed }: Entry, queue: PostponedQueue, now: Date): boolean {
  const waiting = postponed.get(queue);
  return waiting !== undefined && waiting.until > now.getTime();
}

function byStart(a: Entry, b: Entry): number {
  return `${a.row.startedAt}/${a.row.id}` < `${b.row.startedAt}/${b.row.id}` ? -1 : 1;
}

export function hasCome(instant: string | undefined, now: Date): boolean {
  return instant !== undefined && Date.parse(instant) <= now.getTime();
}

/** In order of what is due, or, for a row that failed, of the end of its postponement: what keeps failing starves nothing. */
function byTurn(queue: PostponedQueue, due: (row: StoredRow) => string | undefined): (a: Entry, b: Entry) => number {
  const turnOf = ({ row, postponed }: Entry): number => {
    const since = due(row);
    return postponed.get(queue)?.until ?? (since === undefined ? Number.POSITIVE_INFINITY : Date.parse(since));
  };
  return (a, b) => turnOf(a) - turnOf(b) || (a.row.id < b.row.id ? -1 : 1);
}
