import { isUuid, type RecordingStore, type Wire } from '@medzen/core';
import { callJson, eventArgs, instantArg, jsonArg } from '../call-json.ts';
import { verdict } from '../read-json.ts';
import { claimArgs } from './claims.ts';
import { claims, recording } from './recording-json.ts';

const begun = verdict({
  begun: { recording },
  held: {},
  access_requested: {},
  stale: {},
  not_due: {},
  lease_lost: {},
  not_found: {},
});
const noted = verdict({
  noted: { recording },
  held: {},
  access_requested: {},
  stale: {},
  not_begun: {},
  lease_lost: {},
  not_found: {},
});
const lockNoted = verdict({ noted: {}, lease_lost: {}, not_found: {} });
const canceled = verdict({
  canceled: { recording },
  beyond_recall: {},
  not_begun: {},
  lease_lost: {},
  not_found: {},
});
const finished = verdict({
  finished: { recording },
  already_deleted: {},
  held: {},
  access_requested: {},
  lease_lost: {},
  not_found: {},
});

type Deletion = Pick<
  RecordingStore,
  'claimExpired' | 'beginDeletion' | 'noteRemoval' | 'noteLock' | 'cancelDeletion' | 'finishDeletion'
>;

/** The end of a recording: claim, intent, tombstone. */
export function deletion(wire: Wire): Deletion {
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
          by: intent.by,
          reason: intent.reason,
          rule_ids: intent.ruleIds,
          citations: intent.citations,
          ...eventArgs(event),
        },
        begun,
      );
    },

    noteRemoval: async ({ tenant }, id, removal) => {
      if (!isUuid(id)) return { status: 'not_found' };
      const { removing = [], kept = [] } = removal;
      return callJson(
        wire,
        'note_removal',
        {
          tenant,
          id,
          token: removal.token,
          refs: removing.map(({ ref }) => ref),
          sizes: removing.map(({ size }) => String(size)),
          kept,
          provider: removal.provider ?? false,
          facts_revision: removal.factsRevision,
          rules_version: removal.rulesVersion,
        },
        noted,
      );
    },

    noteLock: async ({ tenant }, id, token, lock) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(wire, 'note_lock', { tenant, id, token, lock: jsonArg(lock ?? undefined) }, lockNoted);
    },

    cancelDeletion: async ({ tenant }, id, { token, at, failureCode }, event) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(
        wire,
        'cancel_deletion',
        { tenant, id, token, at, failure_code: failureCode, ...eventArgs(event) },
        canceled,
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
