import { isUuid, MedzenError, type RecordingStore, type Scope, type Wire } from '@medzen/core';
import { callJson, eventArgs } from '../call-json.ts';
import { list, text, verdict } from '../read-json.ts';
import { legalHolds as holds } from './recording-json.ts';

const placed = verdict({ placed: { tooLate: list(text) }, too_late: { recordingIds: list(text) }, not_found: {} });
const released = verdict({ released: {}, already_released: {}, not_found: {} });

/** Duties to keep, placed by people. */
export function legalHolds(wire: Wire): Pick<RecordingStore, 'placeHold' | 'releaseHold' | 'holds' | 'listHolds'> {
  return {
    placeHold: async ({ tenant }, hold, event) => {
      const { target } = hold;
      if ('recordingId' in target && !isUuid(target.recordingId)) return { status: 'not_found' };
      return callJson(
        wire,
        'place_hold',
        {
          tenant,
          id: hold.id,
          matter: hold.matter,
          reason: hold.reason,
          placed_by: hold.placedBy,
          placed_at: hold.placedAt,
          recording_id: 'recordingId' in target ? target.recordingId : null,
          patient: 'recordingId' in target ? null : target.patient,
          ...eventArgs(event),
        },
        placed,
      );
    },

    releaseHold: ({ tenant }, holdId, by, at, event) =>
      callJson(
        wire,
        'release_hold',
        { tenant, id: holdId, released_by: by, released_at: at, ...eventArgs(event) },
        released,
      ),

    holds: async ({ tenant }, recordingId) =>
      isUuid(recordingId) ? callJson(wire, 'list_holds', { tenant, recording_id: recordingId }, holds) : [],

    listHolds: async (scope, query) => {
      const limit = query.limit ?? 100;
      if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
        throw new MedzenError('invalid_input', 'limit must be between 1 and 1000', { pointers: ['/limit'] });
      const before = query.cursor === undefined ? undefined : readCursor(scope, query.cursor);
      const found = await callJson(
        wire,
        'list_tenant_holds',
        {
          tenant: scope.tenant,
          limit: limit + 1, // one more tells whether there is another page
          active: query.active ?? null,
          patient: query.patient ?? null,
          matter: query.matter ?? null,
          before: before?.placedAt ?? null,
          before_id: before?.id ?? null,
        },
        holds,
      );
      const page = found.slice(0, limit);
      const last = page.at(-1);
      if (found.length <= limit || last === undefined) return { holds: page };
      return { holds: page, cursor: `${scope.tenant}:${last.placedAt}/${last.id}` };
    },
  };
}

function readCursor(scope: Scope, cursor: string): { readonly placedAt: string; readonly id: string } {
  const [, tenant, placedAt, id] = /^([^:]+):(\d{4}-[-\dT:.]+Z)\/(.{1,128})$/.exec(cursor) ?? [];
  if (tenant !== scope.tenant || placedAt === undefined || id === undefined)
    throw new MedzenError('invalid_input', 'cursor must be one that this list answered', { pointers: ['/cursor'] });
  return { placedAt, id };
}
