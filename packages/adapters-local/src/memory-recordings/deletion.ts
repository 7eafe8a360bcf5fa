import { isBeyondRecall, MedzenError, type RecordingStore } from '@medzen/core';
import { claim, giveBack, turn } from './claims.ts';
import { copyOf } from './copy-of.ts';
import { hasCome } from './sweep.ts';
import {
  activeHolds,
  commit,
  decisionIsFresh,
  deletableAt,
  type Entry,
  entryOf,
  mayEnd,
  mayFollow,
  openRequests,
  type RecordingTables,
  revisionOf,
  view,
} from './table.ts';

type Deletion = Pick<
  RecordingStore,
  'claimExpired' | 'beginDeletion' | 'noteRemoval' | 'noteLock' | 'cancelDeletion' | 'finishDeletion'
>;

/** The end of a recording: claim, intent, what is removed, tombstone; and the way back. */
export function deletion(tables: RecordingTables): Deletion {
  const keeps = (entry: Entry): 'held' | 'access_requested' | undefined => {
    if (activeHolds(tables, entry) > 0) return 'held';
    return openRequests(tables, entry) > 0 ? 'access_requested' : undefined;
  };
  return {
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
            keeps(entry) === undefined &&
            decisionIsFresh(tables, entry, rulesVersion)),
        place,
      ),

    beginDeletion: async (scope, id, intent, event) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      const { row } = entry;
      if (entry.work?.token !== intent.token) return { status: 'lease_lost' };
      if (row.state === 'deleting') return { status: 'begun', recording: view(tables, entry) };
      const kept = keeps(entry);
      if (kept !== undefined) return { status: kept };
      if (
        !decisionIsFresh(tables, entry, intent.rulesVersion) ||
        intent.factsRevision !== revisionOf(tables, scope, row.patient)
      )
        return { status: 'stale' };
      const { state } = row;
      if (
        !hasCome(deletableAt(entry), intent.now) ||
        !mayEnd(entry, intent.now) ||
        !(state === 'available' || state === 'archived' || state === 'failed')
      )
        return { status: 'not_due' };
      const startedAt = intent.now.toISOString();
      const { by, reason, ruleIds, citations } = intent;
      commit(tables, entry, event, {
        state: 'deleting',
        stateAt: startedAt,
        deletion: {
          from: state,
          basis: 'retention',
          startedAt,
          startedBy: by,
          reason,
          ruleIds: [...ruleIds],
          citations: [...citations],
          versions: 0,
          bytes: 0,
        },
      });
      entry.postponed.clear();
      return { status: 'begun', recording: view(tables, entry) };
    },

    noteRemoval: async (scope, id, { token, removing = [], kept = [], provider, factsRevision, rulesVersion }) => {
      if (removing.length > 1000 || kept.length > 1000)
        throw new MedzenError('invalid_input', 'removing and kept must have at most 1000 members each');
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      if (entry.work?.token !== token) return { status: 'lease_lost' };
      const { row } = entry;
      if (row.state !== 'deleting' || row.deletion === undefined) return { status: 'not_begun' };
      const begins = (removing.length > 0 || provider === true) && !isBeyondRecall(view(tables, entry));
      if (begins) {
        const reason = keeps(entry);
        if (reason !== undefined) return { status: reason };
        const fresh =
          decisionIsFresh(tables, entry, rulesVersion) &&
          factsRevision === revisionOf(tables, scope, row.patient) &&
          // No floor was set since it began, with which another worker may have decided by now.
          !(row.keepUntil !== undefined && row.keepUntil.until > row.deletion.startedAt);
        if (row.deletion.basis === 'retention' && !fresh) return { status: 'stale' };
      }
      for (const ref of kept) entry.removed.delete(ref);
      for (const { ref, size } of removing) entry.removed.set(ref, size);
      if (provider === true) entry.row = { ...row, deletion: { ...row.deletion, providerAsked: true } };
      return { status: 'noted', recording: view(tables, entry) };
    },

    noteLock: async (scope, id, token, lock) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      if (entry.work?.token !== token) return { status: 'lease_lost' };
      const { lock: _, ...row } = entry.row;
      entry.row = lock === null ? row : { ...row, lock: copyOf(lock) };
      return { status: 'noted' };
    },

    cancelDeletion: async (scope, id, { token, at, failureCode }, event) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      if (entry.work?.token !== token) return { status: 'lease_lost' };
      const { row } = entry;
      if (row.state !== 'deleting' || row.deletion === undefined) return { status: 'not_begun' };
      if (isBeyondRecall(view(tables, entry))) return { status: 'beyond_recall' };
      const { from } = row.deletion;
      const { retainUntil } = row.decision ?? {};
      const keep = from === 'archived' && retainUntil !== undefined && Date.parse(retainUntil) > Date.parse(at);
      commit(tables, entry, event, { state: keep ? 'available' : from, stateAt: at }, ['deletion']);
      giveBack(tables, entry, failureCode);
      return { status: 'canceled', recording: view(tables, entry) };
    },

    finishDeletion: async (scope, id, token, tombstone, event) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      if (entry.row.state === 'deleted') return { status: 'already_deleted' };
      if (entry.work?.token !== token) return { status: 'lease_lost' };
      if (entry.row.state !== 'deleting')
        throw new MedzenError('invalid_transition', 'The deletion was not begun', { retryable: false });
      const kept = isBeyondRecall(view(tables, entry)) ? undefined : keeps(entry);
      if (kept !== undefined) return { status: kept };
      const gone = { state: 'deleted', stateAt: tombstone.deletedAt, tombstone } as const;
      commit(tables, entry, event, gone, ['media', 'object', 'deletion', 'lock']);
      entry.removed.clear();
      entry.postponed.clear();
      delete entry.work;
      return { status: 'finished', recording: view(tables, entry) };
    },
  };
}

/** The later of the deadline and the end of the back-off, so that rows that fail do not stand before all others. */
function place(entry: Entry): string {
  const due = entry.row.state === 'deleting' ? entry.row.decision?.graceUntil : deletableAt(entry);
  return turn(entry, 'deletion', due ?? '');
}
