import { recordingTransitions } from '@medzen/core';
import type { BrokenStore } from '../../broken-store.ts';
import type { RecordingStoreContext } from '../../store-context.ts';
import { brokenRecording } from './recording-fault.ts';

/** From the start to the last access. */
export const brokenLifecycles: readonly BrokenStore<RecordingStoreContext>[] = [
  brokenRecording('skips_consent', 'starts without consent', 'start.consent_missing', ({ good }) => ({
    start: (scope, row, _, event) => good.start(scope, row, [], event),
  })),

  brokenRecording('keeps_old_decision', 'decides by a start that was corrected', 'change.captured', ({ good }) => ({
    change: async (scope, id, change, event) => {
      const before = await good.get(scope, id);
      const answer = await good.change(scope, id, change, event);
      return answer.status === 'changed' && change.capturedAt !== undefined && before?.decision !== undefined
        ? { ...answer, recording: { ...answer.recording, decision: before.decision } }
        : answer;
    },
  })),

  brokenRecording(
    'half_consent',
    'takes a consent without all acknowledgements',
    'start.consent_in_full',
    ({ good, context }) => ({
      start: async (scope, row, consentOf, event) => {
        const current = await context.stores.consents.current(scope, row.sessionId);
        const given = current.filter(({ decision }) => decision === 'given').map(({ participant }) => participant);
        return good.start(
          scope,
          row,
          consentOf.filter((participant) => !given.includes(participant)),
          event,
        );
      },
    }),
  ),

  brokenRecording(
    'any_session',
    'counts consent given in another session',
    'start.consent_elsewhere',
    ({ good, context }) => ({
      start: async (scope, row, consentOf, event) => {
        const elsewhere = await context.stores.consents.current(scope, 'other');
        const given = elsewhere.map(({ participant }) => participant);
        return good.start(
          scope,
          row,
          consentOf.filter((participant) => !given.includes(participant)),
          event,
        );
      },
    }),
  ),

  brokenRecording('loses_the_event', 'starts without the event it was given', 'start', ({ good, samples }) => ({
    start: (scope, row, consentOf) => good.start(scope, row, consentOf, samples.event()),
  })),

  brokenRecording(
    'starts_twice',
    'starts a second recording of a running session',
    'start.session_taken',
    ({ good, samples }) => ({
      start: (scope, row, consentOf, event) =>
        good.start(scope, { ...row, sessionId: `${row.sessionId}-${samples.ids.uuid()}` }, consentOf, event),
    }),
  ),

  brokenRecording('finds_the_first', 'finds the first of several by its reference', 'start.again', ({ all }) => ({
    findByProviderRef: async (scope, provider, providerRef) =>
      (await all(scope)).findLast((row) => row.provider === provider && row.providerRef === providerRef),
  })),

  brokenRecording(
    'event_of_a_refusal',
    'writes the event of a change that it refused',
    'change.conflict',
    ({ good, context }) => ({
      change: async (scope, id, change, event) => {
        const answer = await good.change(scope, id, change, event);
        if (answer.status !== 'changed') await context.stores.audit.append(scope, [event]);
        return answer;
      },
    }),
  ),

  brokenRecording('last_write_wins', 'does not compare the revision', 'change.conflict', ({ good }) => ({
    change: async (scope, id, change, event) => {
      const row = await good.get(scope, id);
      return good.change(scope, id, { ...change, expectedRevision: row?.revision ?? 0 }, event);
    },
  })),

  brokenRecording('forgets_fencing', 'does not look at the token', 'change.fenced', ({ good }) => ({
    change: (scope, id, { token: _, ...change }, event) => good.change(scope, id, change, event),
  })),

  brokenRecording('forgets_notifications', 'does not remember notifications', 'change.dedupe', ({ good }) => ({
    change: (scope, id, { dedupeKey: _, ...change }, event) => good.change(scope, id, change, event),
  })),

  brokenRecording(
    'remembers_too_early',
    'remembers notifications that it refused',
    'change.dedupe_after_refusal',
    ({ good }) => {
      const seen = new Set<string>();
      return {
        change: async (scope, id, change, event) => {
          const key = change.dedupeKey === undefined ? undefined : `${id}/${change.dedupeKey}`;
          const recording = await good.get(scope, id);
          if (key !== undefined && recording !== undefined && seen.has(key)) return { status: 'repeated', recording };
          if (key !== undefined) seen.add(key);
          return good.change(scope, id, change, event);
        },
      };
    },
  ),

  brokenRecording('own_table', 'lets a recording jump to available', 'change.table', ({ good }) => ({
    change: async (scope, id, change, event) => {
      const row = await good.get(scope, id);
      if (row?.state !== 'recording' || change.to !== 'available') return good.change(scope, id, change, event);
      const first = await good.change(scope, id, { ...change, to: 'uploading' }, event);
      if (first.status !== 'changed') return first;
      return good.change(scope, id, { ...change, expectedRevision: first.recording.revision }, event);
    },
  })),

  brokenRecording('two_live', 'brings a failed recording back beside a live one', 'change.one_live', ({ good }) => ({
    change: async (scope, id, change, event) => {
      const result = await good.change(scope, id, change, event);
      if (result.status !== 'invalid_transition' || change.to !== 'recording' || result.recording.state !== 'failed')
        return result;
      return { status: 'changed', recording: { ...result.recording, state: 'recording' } };
    },
  })),

  brokenRecording('transition_first', 'looks at the transition before the revision', 'change.order', ({ good }) => ({
    change: async (scope, id, change, event) => {
      const recording = await good.get(scope, id);
      if (recording === undefined || change.to === undefined) return good.change(scope, id, change, event);
      if (!recordingTransitions[recording.state].includes(change.to))
        return { status: 'invalid_transition', recording };
      return good.change(scope, id, change, event);
    },
  })),

  brokenRecording('keeps_failures', 'does not clear a failure', 'change.failure', ({ good }) => ({
    change: (scope, id, { failure, ...change }, event) =>
      good.change(scope, id, failure === undefined || failure === null ? change : { ...change, failure }, event),
  })),

  brokenRecording('unlogged_access', 'counts an access without its event', 'access.counted', ({ good, samples }) => ({
    noteAccess: (scope, id, kind) => good.noteAccess(scope, id, kind, samples.event()),
  })),

  brokenRecording(
    'serves_archived',
    'lets people see what is not available',
    'access.not_available',
    ({ good, context }) => ({
      noteAccess: async (scope, id, kind, event) => {
        const answer = await good.noteAccess(scope, id, kind, event);
        if (answer.status !== 'not_available') return answer;
        await context.stores.audit.append(scope, [event]);
        return { status: 'noted', recording: answer.recording };
      },
    }),
  ),

  brokenRecording('loses_the_tenant', "shows another tenant's recordings", 'tenant.methods', ({ good, other }) => ({
    get: async (scope, id) => (await good.get(scope, id)) ?? good.get(other(scope), id),
  })),

  brokenRecording('lists_all_tenants', "lists another tenant's recordings", 'tenant.methods', ({ good, other }) => ({
    list: async (scope, query) => {
      const own = await good.list(scope, query);
      return own.recordings.length > 0 ? own : good.list(other(scope), query);
    },
  })),

  brokenRecording('claims_all_tenants', "claims another tenant's recordings", 'tenant.methods', ({ good, other }) => ({
    claimExpired: async (scope, now, rulesVersion, options) => {
      const own = await good.claimExpired(scope, now, rulesVersion, options);
      return own.length > 0 ? own : good.claimExpired(other(scope), now, rulesVersion, options);
    },
  })),

  brokenRecording('forgets_a_filter', 'lists without looking who takes part', 'list.filters', ({ good }) => ({
    list: (scope, { participant: _, ...query }) => good.list(scope, query),
  })),

  brokenRecording('pages_by_offset', 'counts its pages from the newest', 'list.pages', ({ good }) => ({
    list: async (scope, { cursor, limit = 50, ...query }) => {
      const from = Number(cursor ?? 0);
      const { recordings } = await good.list(scope, { ...query, limit: 200 });
      const more = recordings.length > from + limit;
      return { recordings: recordings.slice(from, from + limit), ...(more ? { cursor: String(from + limit) } : {}) };
    },
  })),
];
