import { isUuid, type RecordingStore, type Wire } from '@medzen/core';
import { callJson, eventArgs, instantArg, jsonArg } from '../call-json.ts';
import { verdict } from '../read-json.ts';
import { claimArgs } from './claims.ts';
import { claims, recording } from './recording-json.ts';

const begun = verdict({ begun: { recording }, held: {}, stale: {}, not_due: {}, lease_lost: {}, not_found: {} });
const finished = verdict({ finished: { recording }, already_deleted: {}, lease_lost: {}, not_found: {} });

/** The end of a recording: claim, intent, tombstone. */
export function deletion(wire: Wire): Pick<RecordingStore, 'claimExpired' | 'beginDeletion' | 'finishDeletion'> {
  return {
    claimExpired: async ({ tenant }, now, rulesVersion, options) => {
      const args = claimArgs(options);
      if (args === undefined) return [];
      return callJson(
        wire,
        'claim_expired',
        { tenant, now: instantArg(now), rules_version: rulesVersion, ...args },
        claims,
      );
    },

    beginDeletion: async ({ tenant }, id, intent, event) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(
        wire,
        'begin_deletion',
        {
          tenant,
          id,
          token: intent.token,
          facts_revision: intent.factsRevision,
          rules_version: intent.rulesVersion,
          now: instantArg(intent.now),
          ...eventArgs(event),
        },
        begun,
      );
    },

    finishDeletion: async ({ tenant }, id, token, tombstone, event) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(
        wire,
        'finish_deletion',
        { tenant, id, token, tombstone: jsonArg(tombstone), ...eventArgs(event) },
        finished,
      );
    },
  };
}
