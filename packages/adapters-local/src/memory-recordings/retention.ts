import { canonicalize, isBeyondRecall, MedzenError, type RecordingStore } from '@medzen/core';
import { checkFact } from './check-fact.ts';
import { copyOf } from './copy-of.ts';
import {
  checkKeep,
  commit,
  decisionIsFresh,
  type Entry,
  entriesOf,
  entryOf,
  keyOf,
  type RecordingTables,
  revisionOf,
  view,
} from './table.ts';

type Retention = Pick<
  RecordingStore,
  'noteFact' | 'facts' | 'staleDecisions' | 'saveDecision' | 'undecided' | 'extendKeep'
>;

/** Facts, and the decisions that rest on them. */
export function retention(tables: RecordingTables): Retention {
  return {
    noteFact: async (scope, fact, event) => {
      const known = tables.factIds.get(keyOf(scope, fact.id));
      if (known !== undefined) {
        if (canonicalize(known) !== canonicalize(fact))
          throw new MedzenError('conflict', 'A fact with this id and other content exists');
        return { status: 'repeated', revision: revisionOf(tables, scope, fact.patient) };
      }
      checkFact(tables.facts.get(keyOf(scope, fact.patient))?.facts ?? [], fact, tables.now());
      const stored = copyOf(fact);
      tables.events.plan(scope, [event])();
      const key = keyOf(scope, fact.patient);
      const subject = tables.facts.get(key) ?? { facts: [], revision: 0 };
      subject.facts.push(stored);
      subject.revision++;
      tables.facts.set(key, subject);
      tables.factIds.set(keyOf(scope, fact.id), stored);
      return { status: 'noted', revision: subject.revision };
    },

    facts: async (scope, patient) => {
      const subject = tables.facts.get(keyOf(scope, patient));
      return { facts: copyOf(subject?.facts ?? []), revision: subject?.revision ?? 0 };
    },

    staleDecisions: async (scope, rulesVersion, limit) =>
      entriesOf(tables, scope, (a, b) => (a.row.id < b.row.id ? -1 : 1))
        .filter((entry) => entry.row.state !== 'deleted' && !decisionIsFresh(tables, entry, rulesVersion))
        .slice(0, limit)
        .map((entry) => view(tables, entry)),

    saveDecision: async (scope, id, decision, restoreEvent) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      if (entry.row.state === 'deleted' || decision.factsRevision !== revisionOf(tables, scope, entry.row.patient))
        return { status: 'stale' };
      const { retainUntil, decidedAt } = decision;
      // Kept only with the deadline that it was of: one that moves takes back what was said of it, even should it move back.
      const keepsWarning = entry.row.decision?.graceUntil === decision.graceUntil;
      const moved = retainUntil !== undefined && Date.parse(retainUntil) > Date.parse(decidedAt);
      if (!keepsWarning) entry.postponed.delete('warning');
      if (entry.row.state === 'archived' && moved) {
        commit(tables, entry, restoreEvent, { decision, state: 'available', stateAt: decidedAt });
        delete entry.work;
        if (!keepsWarning) delete entry.warnedAt;
        return { status: 'restored', recording: view(tables, entry) };
      }
      entry.row = { ...entry.row, decision: copyOf(decision), revision: entry.row.revision + 1 };
      if (!keepsWarning) delete entry.warnedAt;
      return { status: 'saved', recording: view(tables, entry) };
    },

    undecided: async (scope, limit) => {
      if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
        throw new MedzenError('invalid_input', 'limit must be between 1 and 1000', { pointers: ['/limit'] });
      const found = entriesOf(tables, scope, (a, b) => (age(a) < age(b) ? -1 : 1)).filter(
        ({ row: { state, decision } }) =>
          state !== 'deleting' &&
          state !== 'deleted' &&
          (decision?.undated === 'unknown' || decision?.undated === 'unjudged'),
      );
      return {
        count: Math.min(found.length, 10_000),
        recordings: found.slice(0, limit).map((entry) => view(tables, entry)),
      };
    },

    extendKeep: async (scope, id, keep, event) => {
      checkKeep(tables, keep);
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      const answer = (status: 'too_late' | 'repeated' | 'shorter') => ({ status, recording: view(tables, entry) });
      if (isBeyondRecall(view(tables, entry))) return answer('too_late');
      const now = Date.parse(entry.row.keepUntil?.until ?? '');
      if (now === Date.parse(keep.until)) return answer('repeated');
      if (now > Date.parse(keep.until)) return answer('shorter');
      commit(tables, entry, event, { keepUntil: keep }, ['decision']);
      delete entry.warnedAt;
      return { status: 'extended', recording: view(tables, entry) };
    },
  };
}

/** The oldest first. */
function age({ row }: Entry): string {
  return `${row.startedAt}/${row.id}`;
}
