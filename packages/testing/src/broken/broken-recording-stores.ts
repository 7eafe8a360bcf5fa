import {
  isMedzenError,
  type Recording,
  type RecordingStore,
  recordingTransitions,
  type Scope,
  type SealedEvent,
} from '@medzen/core';
import type { BrokenStore } from '../broken-store.ts';
import { createSamples, type Samples } from '../samples.ts';
import type { RecordingStoreContext } from '../store-context.ts';

/** What a fault is made of. */
interface Parts {
  readonly good: RecordingStore;
  readonly context: RecordingStoreContext;
  readonly samples: Samples;
  /** The tenant that a call is not about. */
  other(scope: Scope): Scope;
  all(scope: Scope): Promise<readonly Recording[]>;
}

function broken(
  id: string,
  title: string,
  mustFail: string,
  fault: (parts: Parts) => Partial<RecordingStore>,
): BrokenStore<RecordingStoreContext> {
  return {
    id: `recording.${id}`,
    title,
    mustFail: `recording.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.recordings;
      const parts: Parts = {
        good,
        context,
        samples: createSamples({ scope: context.scope, clock: context.clock }),
        other: (scope) => (scope.tenant === context.scope.tenant ? context.otherScope : context.scope),
        all: async (scope) => (await good.list(scope, { limit: 200 })).recordings,
      };
      return { ...context, stores: { ...context.stores, recordings: { ...good, ...fault(parts) } } };
    },
  };
}

const beginning: readonly BrokenStore<RecordingStoreContext>[] = [
  broken('skips_consent', 'starts without consent', 'start.consent_missing', ({ good }) => ({
    start: (scope, row, _, event) => good.start(scope, row, [], event),
  })),

  broken(
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

  broken('any_session', 'counts consent given in another session', 'start.consent_elsewhere', ({ good, context }) => ({
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
  })),

  broken('loses_the_event', 'starts without the event it was given', 'start', ({ good, samples }) => ({
    start: (scope, row, consentOf) => good.start(scope, row, consentOf, samples.event()),
  })),

  broken(
    'starts_twice',
    'starts a second recording of a running session',
    'start.session_taken',
    ({ good, samples }) => ({
      start: (scope, row, consentOf, event) =>
        good.start(scope, { ...row, sessionId: `${row.sessionId}-${samples.ids.uuid()}` }, consentOf, event),
    }),
  ),

  broken('finds_the_first', 'finds the first of several by its reference', 'start.again', ({ all }) => ({
    findByProviderRef: async (scope, provider, providerRef) =>
      (await all(scope)).findLast((row) => row.provider === provider && row.providerRef === providerRef),
  })),

  broken(
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

  broken('last_write_wins', 'does not compare the revision', 'change.conflict', ({ good }) => ({
    change: async (scope, id, change, event) => {
      const row = await good.get(scope, id);
      return good.change(scope, id, { ...change, expectedRevision: row?.revision ?? 0 }, event);
    },
  })),

  broken('forgets_fencing', 'does not look at the token', 'change.fenced', ({ good }) => ({
    change: (scope, id, { token: _, ...change }, event) => good.change(scope, id, change, event),
  })),

  broken('forgets_notifications', 'does not remember notifications', 'change.dedupe', ({ good }) => ({
    change: (scope, id, { dedupeKey: _, ...change }, event) => good.change(scope, id, change, event),
  })),

  broken(
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

  broken('own_table', 'lets a recording jump to available', 'change.table', ({ good }) => ({
    change: async (scope, id, change, event) => {
      const row = await good.get(scope, id);
      if (row?.state !== 'recording' || change.to !== 'available') return good.change(scope, id, change, event);
      const first = await good.change(scope, id, { ...change, to: 'uploading' }, event);
      if (first.status !== 'changed') return first;
      return good.change(scope, id, { ...change, expectedRevision: first.recording.revision }, event);
    },
  })),

  broken('transition_first', 'looks at the transition before the revision', 'change.order', ({ good }) => ({
    change: async (scope, id, change, event) => {
      const recording = await good.get(scope, id);
      if (recording === undefined || change.to === undefined) return good.change(scope, id, change, event);
      if (!recordingTransitions[recording.state].includes(change.to))
        return { status: 'invalid_transition', recording };
      return good.change(scope, id, change, event);
    },
  })),

  broken('keeps_failures', 'does not clear a failure', 'change.failure', ({ good }) => ({
    change: (scope, id, { failure, ...change }, event) =>
      good.change(scope, id, failure === undefined || failure === null ? change : { ...change, failure }, event),
  })),

  broken('unlogged_access', 'counts an access without its event', 'access.counted', ({ good, samples }) => ({
    noteAccess: (scope, id, kind) => good.noteAccess(scope, id, kind, samples.event()),
  })),

  broken('serves_archived', 'lets people see what is not available', 'access.not_available', ({ good, context }) => ({
    noteAccess: async (scope, id, kind, event) => {
      const answer = await good.noteAccess(scope, id, kind, event);
      if (answer.status !== 'not_available') return answer;
      await context.stores.audit.append(scope, [event]);
      return { status: 'noted', recording: answer.recording };
    },
  })),

  broken('loses_the_tenant', "shows another tenant's recordings", 'tenant.methods', ({ good, other }) => ({
    get: async (scope, id) => (await good.get(scope, id)) ?? good.get(other(scope), id),
  })),

  broken('lists_all_tenants', "lists another tenant's recordings", 'tenant.methods', ({ good, other }) => ({
    list: async (scope, query) => {
      const own = await good.list(scope, query);
      return own.recordings.length > 0 ? own : good.list(other(scope), query);
    },
  })),

  broken('claims_all_tenants', "claims another tenant's recordings", 'tenant.methods', ({ good, other }) => ({
    claimExpired: async (scope, now, rulesVersion, options) => {
      const own = await good.claimExpired(scope, now, rulesVersion, options);
      return own.length > 0 ? own : good.claimExpired(other(scope), now, rulesVersion, options);
    },
  })),

  broken('forgets_a_filter', 'lists without looking who takes part', 'list.filters', ({ good }) => ({
    list: (scope, { participant: _, ...query }) => good.list(scope, query),
  })),

  broken('pages_by_offset', 'counts its pages from the newest', 'list.pages', ({ good }) => ({
    list: async (scope, { cursor, limit = 50, ...query }) => {
      const from = Number(cursor ?? 0);
      const { recordings } = await good.list(scope, { ...query, limit: 200 });
      const more = recordings.length > from + limit;
      return { recordings: recordings.slice(from, from + limit), ...(more ? { cursor: String(from + limit) } : {}) };
    },
  })),
];

const working: readonly BrokenStore<RecordingStoreContext>[] = [
  broken('no_lease', 'gives a claimed row to the next worker too', 'claim.lease', ({ good }) => {
    let last: Awaited<ReturnType<RecordingStore['claimTransfers']>> = [];
    return {
      claimTransfers: async (scope, options) => {
        const claims = await good.claimTransfers(scope, options);
        if (claims.length > 0) last = claims;
        return last;
      },
    };
  }),

  broken('same_token', 'gives the same token with every claim', 'claim.lease', ({ good }) => ({
    claimTransfers: async (scope, options) =>
      (await good.claimTransfers(scope, options)).map((claim) => ({ ...claim, token: '1' })),
  })),

  broken('no_back_off', 'offers a row again as soon as its lease is over', 'claim.back_off', ({ good, all }) => ({
    claimTransfers: async (scope, options) => {
      if (options.id !== undefined) return good.claimTransfers(scope, options);
      const rows = (await all(scope)).toReversed().filter(({ state }) => state === 'uploading');
      const claims = [];
      for (const { id } of rows) claims.push(...(await good.claimTransfers(scope, { ...options, id })));
      return claims.slice(0, options.limit);
    },
  })),

  broken('forgets_attempts', 'does not count attempts', 'claim.lease', ({ good }) => ({
    claimTransfers: async (scope, options) =>
      (await good.claimTransfers(scope, options)).map((claim) => ({ ...claim, attempts: 1 })),
  })),

  broken('claims_anything', 'claims what is not uploading', 'claim.uploading_only', ({ good, all }) => ({
    claimTransfers: async (scope, options) => {
      const claims = await good.claimTransfers(scope, options);
      const wrong = (await all(scope)).filter(({ state }) => state === 'processing');
      return [...claims, ...wrong.map((recording) => ({ recording, token: '1', attempts: 1 }))];
    },
  })),

  broken('anyone_releases', 'lets anyone give back a claim', 'claim.lost_release', ({ good }) => {
    const tokens = new Map<string, string>();
    return {
      claimTransfers: async (scope, options) => {
        const claims = await good.claimTransfers(scope, options);
        for (const { recording, token } of claims) tokens.set(recording.id, token);
        return claims;
      },
      releaseClaim: (scope, id, token, failureCode) =>
        good.releaseClaim(scope, id, tokens.get(id) ?? token, failureCode),
    };
  }),

  broken('forgets_failures', 'offers what failed again at once', 'claim.failed', ({ good }) => ({
    releaseClaim: (scope, id, token) => good.releaseClaim(scope, id, token),
  })),

  broken('starved', 'offers rows that fail again before the others', 'expired.poison', ({ good }) => ({
    releaseClaim: (scope, id, token) => good.releaseClaim(scope, id, token),
  })),

  broken('reports_failed_as_stuck', 'reports failed recordings as stuck', 'stuck', ({ good, all }) => ({
    stuck: async (scope, before, limit) => {
      const failed = (await all(scope)).filter(({ state }) => state === 'failed');
      return [...(await good.stuck(scope, before, limit)), ...failed].slice(0, limit);
    },
  })),

  broken('counts_retries', 'takes a repeated fact for a new one', 'fact.repeated', ({ good, samples }) => ({
    noteFact: async (scope, fact, event) => {
      const answer = await good.noteFact(scope, fact, event);
      if (answer.status === 'noted') return answer;
      return good.noteFact(scope, { ...fact, id: samples.ids.uuid() }, event);
    },
  })),

  broken('saves_stale', 'saves a decision on earlier facts', 'decision.stale', ({ good }) => ({
    saveDecision: async (scope, id, decision, event) => {
      const row = await good.get(scope, id);
      const { revision } = await good.facts(scope, row?.patient ?? '');
      return good.saveDecision(scope, id, { ...decision, factsRevision: revision }, event);
    },
  })),

  broken('restores_unlogged', 'restores without the event', 'decision.restores', ({ good, samples }) => ({
    saveDecision: (scope, id, decision) => good.saveDecision(scope, id, decision, samples.event()),
  })),

  broken(
    'logs_decisions',
    'writes the event of a restoration that did not happen',
    'decision.saved',
    ({ good, context }) => ({
      saveDecision: async (scope, id, decision, event) => {
        const answer = await good.saveDecision(scope, id, decision, event);
        if (answer.status === 'saved') await context.stores.audit.append(scope, [event]);
        return answer;
      },
    }),
  ),

  broken('stale_of_deleted', 'asks for decisions on what is deleted', 'stale.lists', ({ good, all }) => ({
    staleDecisions: async (scope, rulesVersion, limit) => {
      const deleted = (await all(scope)).filter(({ state }) => state === 'deleted');
      return [...deleted, ...(await good.staleDecisions(scope, rulesVersion, limit))].slice(0, limit);
    },
  })),

  broken('archives_by_old_rules', 'archives by a decision of other rules', 'archive.due', ({ good }) => ({
    dueArchives: async (scope, now, rulesVersion, limit) => [
      ...(await good.dueArchives(scope, now, rulesVersion, limit)),
      ...(await good.dueArchives(scope, now, 'rules-0', limit)),
    ],
  })),

  broken('warns_again', 'lists a warning that was given', 'warning.once', ({ all }) => ({
    dueWarnings: async (scope, now, limit) =>
      (await all(scope))
        .filter(({ state, decision }) => state === 'available' && Date.parse(decision?.warnAt ?? '') <= now.getTime())
        .slice(0, limit),
  })),

  broken('warns_twice', 'records a warning twice', 'warning.once', ({ good, context }) => ({
    recordWarning: async (scope, id, deadline, event) => {
      const answer = await good.recordWarning(scope, id, deadline, event);
      if (answer.status !== 'repeated') return answer;
      await context.stores.audit.append(scope, [event]);
      return { status: 'recorded' };
    },
  })),

  broken('warns_of_the_past', 'records a warning of a deadline that has moved', 'warning.moved', ({ good }) => ({
    recordWarning: async (scope, id, deadline, event) => {
      const answer = await good.recordWarning(scope, id, deadline, event);
      return answer.status === 'stale' ? { status: 'recorded' } : answer;
    },
  })),
];

const ending: readonly BrokenStore<RecordingStoreContext>[] = [
  broken('holds_too_late', 'places a hold on what is being deleted', 'hold.too_late', ({ good }) => ({
    placeHold: async (scope, hold, event) => {
      const answer = await good.placeHold(scope, hold, event);
      return answer.status === 'too_late' ? { status: 'placed' } : answer;
    },
  })),

  broken('one_hold', 'keeps one hold a recording', 'hold.several', ({ good }) => ({
    placeHold: async (scope, hold, event) => {
      const held = 'recordingId' in hold.target && (await good.holds(scope, hold.target.recordingId)).length > 0;
      return held ? { status: 'placed' } : good.placeHold(scope, hold, event);
    },
  })),

  broken(
    'holds_what_is_there',
    'puts a hold on a patient on the recordings of today only',
    'hold.patient',
    ({ good, all, samples }) => ({
      placeHold: async (scope, hold, event) => {
        if ('recordingId' in hold.target) return good.placeHold(scope, hold, event);
        const { patient } = hold.target;
        for (const row of (await all(scope)).filter((one) => one.patient === patient))
          await good.placeHold(scope, { ...hold, id: samples.ids.uuid(), target: { recordingId: row.id } }, event);
        return { status: 'placed' };
      },
    }),
  ),

  broken('moves_holds', 'moves a hold to another target', 'hold.repeated', ({ good }) => ({
    placeHold: async (scope, hold, event) => {
      try {
        return await good.placeHold(scope, hold, event);
      } catch (error) {
        if (isMedzenError(error) && error.code === 'conflict') return { status: 'placed' };
        throw error;
      }
    },
  })),

  broken('forgets_released', 'does not list released holds', 'hold.several', ({ good }) => ({
    holds: async (scope, id) => (await good.holds(scope, id)).filter(({ releasedAt }) => releasedAt === undefined),
  })),

  broken('claims_held', 'claims what is held', 'hold.several', ({ good, all }) => ({
    claimExpired: async (scope, now, rulesVersion, options) => {
      const held = (await all(scope)).filter((row) => row.holds > 0 && row.id === options.id);
      const claims = await good.claimExpired(scope, now, rulesVersion, options);
      return [...claims, ...held.map((recording) => ({ recording, token: '1', attempts: 1 }))];
    },
  })),

  broken('claims_early', 'claims a day early', 'expired.moment', ({ good }) => ({
    claimExpired: (scope, now, rulesVersion, options) =>
      good.claimExpired(scope, new Date(now.getTime() + 86_400_000), rulesVersion, options),
  })),

  broken('claims_by_old_rules', 'claims by a decision of other rules', 'decision.stale_is_not_claimed', ({ good }) => ({
    claimExpired: async (scope, now, rulesVersion, options) => [
      ...(await good.claimExpired(scope, now, rulesVersion, options)),
      ...(await good.claimExpired(scope, now, 'rules-0', options)),
    ],
  })),

  broken('any_deadline_first', 'claims the latest deadline first', 'expired.due', ({ good }) => ({
    claimExpired: async (scope, now, rulesVersion, options) => {
      const claims = await good.claimExpired(scope, now, rulesVersion, { ...options, limit: 1000 });
      const chosen = claims.toReversed();
      for (const { recording, token } of chosen.slice(options.limit))
        await good.releaseClaim(scope, recording.id, token);
      return chosen.slice(0, options.limit);
    },
  })),

  broken('deletes_stale', 'begins a deletion on stale facts', 'begin.stale', ({ good }) => ({
    beginDeletion: async (scope, id, intent, event) => {
      const row = await good.get(scope, id);
      const factsRevision = row?.decision?.factsRevision ?? 0;
      const rulesVersion = row?.decision?.rulesVersion ?? '';
      return good.beginDeletion(scope, id, { ...intent, factsRevision, rulesVersion }, event);
    },
  })),

  broken('deletes_held', 'begins a deletion under a hold', 'hold.between', ({ good, context }) => ({
    beginDeletion: async (scope, id, intent, event) => {
      const answer = await good.beginDeletion(scope, id, intent, event);
      const recording = await good.get(scope, id);
      if (answer.status !== 'held' || recording === undefined) return answer;
      await context.stores.audit.append(scope, [event]);
      return { status: 'begun', recording };
    },
  })),

  broken('deletes_early', 'begins a deletion before the grace has ended', 'begin.not_due', ({ good }) => ({
    beginDeletion: (scope, id, intent, event) =>
      good.beginDeletion(scope, id, { ...intent, now: new Date('9000-01-01T00:00:00Z') }, event),
  })),

  broken('begins_twice', 'writes an event each time a deletion is begun', 'begin', ({ good, context }) => ({
    beginDeletion: async (scope, id, intent, event) => {
      const answer = await good.beginDeletion(scope, id, intent, event);
      if (answer.status === 'begun') await context.stores.audit.append(scope, [event]);
      return answer;
    },
  })),

  broken('fences_nobody', 'does not look whose claim a deletion is', 'begin.fenced', ({ good }) => {
    let latest = '';
    return {
      claimExpired: async (scope, now, rulesVersion, options) => {
        const claims = await good.claimExpired(scope, now, rulesVersion, options);
        latest = claims.at(-1)?.token ?? latest;
        return claims;
      },
      beginDeletion: (scope, id, intent, event) => good.beginDeletion(scope, id, { ...intent, token: latest }, event),
    };
  }),

  broken('two_tombstones', 'finishes a deletion twice', 'finish.at_once', ({ good }) => ({
    finishDeletion: async (scope, id, token, tombstone, event) => {
      const answer = await good.finishDeletion(scope, id, token, tombstone, event);
      const recording = await good.get(scope, id);
      return answer.status === 'already_deleted' && recording !== undefined
        ? { status: 'finished', recording }
        : answer;
    },
  })),

  broken('keeps_references', 'keeps the reference to the object', 'finish', ({ good, samples }) => ({
    finishDeletion: async (scope, id, token, tombstone, event) => {
      const answer = await good.finishDeletion(scope, id, token, tombstone, event);
      if (answer.status !== 'finished') return answer;
      return { ...answer, recording: { ...answer.recording, object: samples.object() } };
    },
  })),

  broken('finishes_unbegun', 'deletes what was not begun', 'finish.not_begun', ({ good, samples }) => ({
    finishDeletion: async (scope, id, token, tombstone, event) => {
      const row = await good.get(scope, id);
      const { factsRevision = 0, rulesVersion = '', graceUntil = '' } = row?.decision ?? {};
      const intent = { token, factsRevision, rulesVersion, now: new Date(graceUntil) };
      if (row?.state === 'available') await good.beginDeletion(scope, id, intent, samples.event());
      return good.finishDeletion(scope, id, token, tombstone, event);
    },
  })),

  broken('forgives_events', 'changes though its event was refused', 'atomic.change', ({ good, samples }) => ({
    change: async (scope, id, change, event) => {
      try {
        return await good.change(scope, id, change, event);
      } catch (error) {
        if (isMedzenError(error) && error.code === 'audit_conflict')
          await good.change(scope, id, change, samples.event());
        throw error;
      }
    },
  })),

  broken('doubles_events', 'writes a second event', 'atomic.placeHold', ({ good, context, samples }) => ({
    placeHold: async (scope, hold, event) => {
      const answer = await good.placeHold(scope, hold, event);
      if (answer.status === 'placed') await context.stores.audit.append(scope, [samples.event()]);
      return answer;
    },
  })),

  broken('event_without_change', 'writes the event and not the change', 'access.counted', ({ good, context }) => ({
    noteAccess: async (scope, id, _, event: SealedEvent) => {
      const recording = await good.get(scope, id);
      if (recording === undefined) return { status: 'not_found' };
      await context.stores.audit.append(scope, [event]);
      return { status: 'noted', recording };
    },
  })),
];

/** Recording stores that must fail `recordingStoreCases`. */
export const brokenRecordingStores: readonly BrokenStore<RecordingStoreContext>[] = [
  ...beginning,
  ...working,
  ...ending,
];
