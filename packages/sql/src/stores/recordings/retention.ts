import { isUuid, type RecordingStore, type Wire } from '@medzen/core';
import { callJson, eventArgs, instantArg } from '../call-json.ts';
import { integer, shape, text, verdict } from '../read-json.ts';
import { facts, recording, recordings } from './recording-json.ts';

type Retention = Pick<
  RecordingStore,
  | 'noteFact'
  | 'facts'
  | 'staleDecisions'
  | 'saveDecision'
  | 'undecided'
  | 'extendKeep'
  | 'dueWarnings'
  | 'recordWarning'
  | 'dueArchives'
  | 'dueDiscards'
  | 'postpone'
  | 'countPostponed'
>;

const noted = verdict({ noted: { revision: integer }, repeated: { revision: integer } });
const saved = verdict({ saved: { recording }, restored: { recording }, stale: {}, not_found: {} });
const undecided = shape({ count: integer, recordings });
const extended = verdict({
  extended: { recording },
  repeated: { recording },
  shorter: { recording },
  too_late: { recording },
  not_found: {},
});
const warned = verdict({ recorded: {}, repeated: {}, stale: {}, not_found: {} });

const postponed = verdict({ postponed: { attempts: integer, until: text }, not_found: {} });
const waiting = shape({ warning: integer, archive: integer, discard: integer, deletion: integer });

/** Facts, the decisions that rest on them, and what falls due by those. */
export function retention(wire: Wire): Retention {
  return {
    noteFact: ({ tenant }, fact, event) =>
      callJson(
        wire,
        'note_fact',
        {
          tenant,
          id: fact.id,
          patient: fact.patient,
          type: fact.type,
          date: fact.date,
          zone: fact.zone,
          voids: fact.voids ?? null,
          ...eventArgs(event),
        },
        noted,
      ),

    facts: ({ tenant }, patient) => callJson(wire, 'list_facts', { tenant, patient }, facts),

    staleDecisions: ({ tenant }, rulesVersion, limit) =>
      callJson(wire, 'list_stale_decisions', { tenant, rules_version: rulesVersion, limit }, recordings),

    saveDecision: async ({ tenant }, id, decision, restoreEvent) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(
        wire,
        'save_decision',
        {
          tenant,
          id,
          rules_version: decision.rulesVersion,
          facts_revision: decision.factsRevision,
          decided_at: decision.decidedAt,
          rule_ids: decision.ruleIds,
          retain_until: decision.retainUntil ?? null,
          warn_at: decision.warnAt ?? null,
          grace_until: decision.graceUntil ?? null,
          undated: decision.undated ?? null,
          ...eventArgs(restoreEvent),
        },
        saved,
      );
    },

    undecided: async ({ tenant }, limit) => callJson(wire, 'list_undecided', { tenant, limit }, undecided),

    extendKeep: async ({ tenant }, id, { until, reason }, event) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(wire, 'extend_keep', { tenant, id, until, reason, ...eventArgs(event) }, extended);
    },

    dueWarnings: async ({ tenant }, now, limit) =>
      callJson(wire, 'list_due_warnings', { tenant, now: instantArg(now), limit }, recordings),

    recordWarning: async ({ tenant }, id, deadline, event) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(wire, 'record_warning', { tenant, id, deadline, ...eventArgs(event) }, warned);
    },

    dueArchives: async ({ tenant }, now, rulesVersion, limit) =>
      callJson(
        wire,
        'list_due_archives',
        { tenant, now: instantArg(now), rules_version: rulesVersion, limit },
        recordings,
      ),

    dueDiscards: async ({ tenant }, failureCode, now, limit) =>
      callJson(
        wire,
        'list_due_discards',
        { tenant, failure_code: failureCode, now: instantArg(now), limit },
        recordings,
      ),

    postpone: async ({ tenant }, id, queue, failureCode, now) => {
      if (!isUuid(id)) return undefined;
      const args = { tenant, id, queue, failure_code: failureCode, now: instantArg(now) };
      const answer = await callJson(wire, 'postpone_recording', args, postponed);
      return answer.status === 'postponed' ? { attempts: answer.attempts, until: answer.until } : undefined;
    },

    countPostponed: async ({ tenant }, now) =>
      callJson(wire, 'count_postponed', { tenant, now: instantArg(now) }, waiting),
  };
}
