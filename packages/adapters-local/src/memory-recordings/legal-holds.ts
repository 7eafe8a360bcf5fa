import { canonicalize, type LegalHold, MedzenError, type RecordingStore } from '@medzen/core';
import { entryOf, holdsOn, keyOf, type RecordingTables } from './table.ts';

/** Duties to keep, placed by people. */
export function legalHolds(tables: RecordingTables): Pick<RecordingStore, 'placeHold' | 'releaseHold' | 'holds'> {
  return {
    placeHold: async (scope, hold, event) => {
      const known = tables.holds.get(keyOf(scope, hold.id));
      if (known !== undefined) {
        if (canonicalize(known.target) !== canonicalize(hold.target))
          throw new MedzenError('conflict', 'A hold with this id and another target exists');
        if (known.releasedAt !== undefined) throw new MedzenError('conflict', 'A hold with this id was released');
        return { status: 'placed' };
      }
      if ('recordingId' in hold.target) {
        const entry = entryOf(tables, scope, hold.target.recordingId);
        if (entry === undefined) return { status: 'not_found' };
        if (entry.row.state === 'deleting' || entry.row.state === 'deleted')
          return { status: 'too_late', recordingIds: [entry.row.id] };
      }
      const stored = structuredClone(hold);
      tables.events.plan(scope, [event])();
      tables.holds.set(keyOf(scope, hold.id), stored);
      return { status: 'placed' };
    },

    releaseHold: async (scope, holdId, by, at, event) => {
      const hold = tables.holds.get(keyOf(scope, holdId));
      if (hold === undefined) return { status: 'not_found' };
      if (hold.releasedAt !== undefined) return { status: 'already_released' };
      const released: LegalHold = { ...hold, releasedBy: by, releasedAt: at };
      tables.events.plan(scope, [event])();
      tables.holds.set(keyOf(scope, holdId), released);
      return { status: 'released' };
    },

    holds: async (scope, recordingId) => {
      const entry = entryOf(tables, scope, recordingId);
      return entry === undefined ? [] : structuredClone(holdsOn(tables, entry));
    },
  };
}
