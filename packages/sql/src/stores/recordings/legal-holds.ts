import { isUuid, type RecordingStore, type Wire } from '@medzen/core';
import { callJson, eventArgs } from '../call-json.ts';
import { list, text, verdict } from '../read-json.ts';
import { legalHolds as holds } from './recording-json.ts';

const placed = verdict({ placed: {}, too_late: { recordingIds: list(text) }, not_found: {} });
const released = verdict({ released: {}, already_released: {}, not_found: {} });

/** Duties to keep, placed by people. */
export function legalHolds(wire: Wire): Pick<RecordingStore, 'placeHold' | 'releaseHold' | 'holds'> {
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
  };
}
