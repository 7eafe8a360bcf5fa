import {
  canonicalize,
  isBeyondRecall,
  type LegalHold,
  MedzenError,
  type RecordingStore,
  type Scope,
} from '@medzen/core';
import { copyOf } from './copy-of.ts';
import { beyondRecallOf, entryOf, holdsOn, keyOf, type RecordingTables, view } from './table.ts';

/** Duties to keep, placed by people. */
export function legalHolds(
  tables: RecordingTables,
): Pick<RecordingStore, 'placeHold' | 'releaseHold' | 'holds' | 'listHolds'> {
  return {
    placeHold: async (scope, hold, event) => {
      const tooLate = (target: LegalHold['target']): readonly string[] =>
        'patient' in target ? beyondRecallOf(tables, scope, target.patient) : [];
      const known = tables.holds.get(keyOf(scope, hold.id));
      if (known !== undefined) {
        if (canonicalize(known.target) !== canonicalize(hold.target))
          throw new MedzenError('conflict', 'A hold with this id and another target exists');
        if (known.releasedAt !== undefined) throw new MedzenError('conflict', 'A hold with this id was released');
        return { status: 'placed', tooLate: tooLate(hold.target) };
      }
      if ('recordingId' in hold.target) {
        const entry = entryOf(tables, scope, hold.target.recordingId);
        if (entry === undefined) return { status: 'not_found' };
        if (isBeyondRecall(view(tables, entry))) return { status: 'too_late', recordingIds: [entry.row.id] };
      }
      const stored = copyOf(hold);
      tables.events.plan(scope, [event])();
      tables.holds.set(keyOf(scope, hold.id), stored);
      return { status: 'placed', tooLate: tooLate(hold.target) };
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
      return entry === undefined ? [] : copyOf(holdsOn(tables, entry));
    },

    listHolds: async (scope, query) => {
      const limit = query.limit ?? 100;
      if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
        throw new MedzenError('invalid_input', 'limit must be between 1 and 1000', { pointers: ['/limit'] });
      const before = query.cursor === undefined ? undefined : readCursor(scope, query.cursor);
      const patientOf = ({ target }: LegalHold): string | undefined =>
        'patient' in target ? target.patient : entryOf(tables, scope, target.recordingId)?.row.patient;
      const found = [...tables.holds]
        .filter(([key]) => key.startsWith(`${scope.tenant}:`))
        .map(([, hold]) => hold)
        .filter(
          (hold) =>
            (before === undefined || place(hold) < before) &&
            (query.active === undefined || query.active === (hold.releasedAt === undefined)) &&
            (query.matter === undefined || query.matter === hold.matter) &&
            (query.patient === undefined || query.patient === patientOf(hold)),
        )
        .sort((a, b) => (place(a) < place(b) ? 1 : -1));
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        holds: copyOf(page),
        ...(found.length > limit && last !== undefined ? { cursor: `${scope.tenant}:${place(last)}` } : {}),
      };
    },
  };
}

/** Position of a hold in the tenant's list. */
function place(hold: LegalHold): string {
  return `${hold.placedAt}/${hold.id}`;
}

function readCursor(scope: Scope, cursor: string): string {
  const [tenant, ...rest] = cursor.split(':');
  if (tenant !== scope.tenant || !/^\d{4}-[^/]*Z\/.{1,128}$/.test(rest.join(':')))
    throw new MedzenError('invalid_input', 'cursor must be one that this list answered', { pointers: ['/cursor'] });
  return rest.join(':');
}
