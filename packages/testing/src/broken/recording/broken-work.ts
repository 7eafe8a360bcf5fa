import type { RecordingStore } from '@medzen/core';
import type { BrokenStore } from '../../broken-store.ts';
import type { RecordingStoreContext } from '../../store-context.ts';
import { brokenRecording } from './recording-fault.ts';

/** Claims, facts, decisions and warnings. */
export const brokenWork: readonly BrokenStore<RecordingStoreContext>[] = [
  brokenRecording('no_lease', 'gives a claimed row to the next worker too', 'claim.lease', ({ good }) => {
    let last: Awaited<ReturnType<RecordingStore['claimTransfers']>> = [];
    return {
      claimTransfers: async (scope, options) => {
        const claims = await good.claimTransfers(scope, options);
        if (claims.length > 0) last = claims;
        return last;
      },
    };
  }),

  brokenRecording('same_token', 'gives the same token with every claim', 'claim.lease', ({ good }) => ({
    claimTransfers: async (scope, options) =>
      (await good.claimTransfers(scope, options)).map((claim) => ({ ...claim, token: '1' })),
  })),

  brokenRecording(
    'no_back_off',
    'offers a row again as soon as its lease is over',
    'claim.back_off',
    ({ good, all }) => ({
      claimTransfers: async (scope, options) => {
        if (options.id !== undefined) return good.claimTransfers(scope, options);
        const rows = (await all(scope)).toReversed().filter(({ state }) => state === 'uploading');
        const claims = [];
        for (const { id } of rows) claims.push(...(await good.claimTransfers(scope, { ...options, id })));
        return claims.slice(0, options.limit);
      },
    }),
  ),

  brokenRecording(
    'head_blocks_transfers',
    'offers the oldest first, though it failed',
    'claim.rotates',
    ({ good, all }) => ({
      claimTransfers: async (scope, options) => {
        if (options.id !== undefined) return good.claimTransfers(scope, options);
        const oldest = (await all(scope)).toReversed().find(({ state }) => state === 'uploading');
        return good.claimTransfers(scope, oldest === undefined ? options : { ...options, id: oldest.id });
      },
    }),
  ),

  brokenRecording(
    'head_blocks_stops',
    'offers the oldest stop first, though it failed',
    'stop.rotates',
    ({ good, all }) => ({
      claimStops: async (scope, options) => {
        if (options.id !== undefined) return good.claimStops(scope, options);
        const oldest = (await all(scope)).toReversed().find(({ stopRequest }) => stopRequest !== undefined);
        return good.claimStops(scope, oldest === undefined ? options : { ...options, id: oldest.id });
      },
    }),
  ),

  brokenRecording('forgets_attempts', 'does not count attempts', 'claim.lease', ({ good }) => ({
    claimTransfers: async (scope, options) =>
      (await good.claimTransfers(scope, options)).map((claim) => ({ ...claim, attempts: 1 })),
  })),

  brokenRecording('claims_anything', 'claims what is not uploading', 'claim.uploading_only', ({ good, all }) => ({
    claimTransfers: async (scope, options) => {
      const claims = await good.claimTransfers(scope, options);
      const wrong = (await all(scope)).filter(({ state }) => state === 'processing');
      return [...claims, ...wrong.map((recording) => ({ recording, token: '1', attempts: 1 }))];
    },
  })),

  brokenRecording('anyone_releases', 'lets anyone give back a claim', 'claim.lost_release', ({ good }) => {
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

  brokenRecording('forgets_failures', 'offers what failed again at once', 'claim.failed', ({ good }) => ({
    releaseClaim: (scope, id, token) => good.releaseClaim(scope, id, token),
  })),

  brokenRecording('starved', 'offers rows that fail again before the others', 'expired.poison', ({ good }) => ({
    releaseClaim: (scope, id, token) => good.releaseClaim(scope, id, token),
  })),

  brokenRecording('asks_nobody', 'never has a provider asked', 'look.first', () => ({
    claimReconciliations: async () => [],
  })),

  brokenRecording('asks_head_again', 'offers what was asked about first again', 'look.rotates', ({ good, all }) => ({
    claimReconciliations: async (scope, { limit }) =>
      (await all(scope))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit)
        .map((recording) => ({ recording, token: '1', attempts: 1 })),
    releaseReconciliation: good.releaseReconciliation,
  })),

  brokenRecording('asks_once', 'forgets what was asked about once', 'look.release', ({ good }) => ({
    releaseReconciliation: (scope, id, token, again) =>
      good.releaseReconciliation(scope, id, token, again === null ? null : Math.max(again, 86_400)),
  })),

  brokenRecording('asks_in_pairs', 'has several workers ask about the same row', 'look.once', ({ good }) => ({
    claimReconciliations: async (scope, options) => {
      const claims = await good.claimReconciliations(scope, options);
      for (const { recording, token } of claims) await good.releaseReconciliation(scope, recording.id, token, 1);
      return claims;
    },
  })),

  brokenRecording('renews_nothing', 'says that a lease was renewed, and lets it run out', 'renew', () => ({
    renewClaim: async () => true,
  })),

  brokenRecording('renews_lost', 'renews a claim that somebody else holds', 'renew', ({ good }) => ({
    renewClaim: async (scope, id, token, leaseMs) =>
      (await good.renewClaim(scope, id, token, leaseMs)) || id !== 'none',
  })),

  brokenRecording('stops_nobody', 'forgets what a withdrawal asks for', 'stop.whose', () => ({
    claimStops: async () => [],
  })),

  brokenRecording('stops_once', 'offers what could not be stopped a day later', 'stop.back_off', ({ good }) => {
    const failed = new Set<string>();
    return {
      claimStops: async (scope, options) =>
        (await good.claimStops(scope, options)).filter(({ recording }) => !failed.has(recording.id)),
      releaseClaim: async (scope, id, token, failureCode) => {
        if (failureCode !== undefined) failed.add(id);
        return good.releaseClaim(scope, id, token, failureCode);
      },
    };
  }),

  brokenRecording('stops_everything', 'has what ran in other sessions stopped too', 'stop.whose', ({ all }) => ({
    claimStops: async (scope, options) => {
      const running = (await all(scope)).filter(({ state }) => state === 'recording' && options.id === undefined);
      return running.map((recording) => ({ recording, token: '1', attempts: 1 }));
    },
  })),

  brokenRecording(
    'stops_only_what_runs',
    'takes a failed track for the end of the recording',
    'stop.states',
    ({ good }) => ({
      claimStops: async (scope, options) =>
        (await good.claimStops(scope, options)).filter(({ recording }) => recording.state === 'recording'),
    }),
  ),

  brokenRecording(
    'stops_for_the_listed',
    'stops for nobody who is not listed',
    'stop.given_unlisted',
    ({ good, context }) => ({
      claimStops: async (scope, options) => {
        const claims = await good.claimStops(scope, options);
        const listed = [];
        for (const claim of claims) {
          const { sessionId, stopRequest, participants } = claim.recording;
          const said = await context.stores.consents.current(scope, sessionId);
          const who = said.find(({ id }) => id === stopRequest?.consent)?.participant;
          if (participants.some(({ id }) => id === who)) listed.push(claim);
        }
        return listed;
      },
    }),
  ),

  brokenRecording('counts_retries', 'takes a repeated fact for a new one', 'fact.repeated', ({ good, samples }) => ({
    noteFact: async (scope, fact, event) => {
      const answer = await good.noteFact(scope, fact, event);
      if (answer.status === 'noted') return answer;
      return good.noteFact(scope, { ...fact, id: samples.ids.uuid() }, event);
    },
  })),

  brokenRecording('saves_stale', 'saves a decision on earlier facts', 'decision.stale', ({ good }) => ({
    saveDecision: async (scope, id, decision, event) => {
      const row = await good.get(scope, id);
      const { revision } = await good.facts(scope, row?.patient ?? '');
      return good.saveDecision(scope, id, { ...decision, factsRevision: revision }, event);
    },
  })),

  brokenRecording('restores_unlogged', 'restores without the event', 'decision.restores', ({ good, samples }) => ({
    saveDecision: (scope, id, decision) => good.saveDecision(scope, id, decision, samples.event()),
  })),

  brokenRecording(
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

  brokenRecording('stale_of_deleted', 'asks for decisions on what is deleted', 'stale.lists', ({ good, all }) => ({
    staleDecisions: async (scope, rulesVersion, limit) => {
      const deleted = (await all(scope)).filter(({ state }) => state === 'deleted');
      return [...deleted, ...(await good.staleDecisions(scope, rulesVersion, limit))].slice(0, limit);
    },
  })),

  brokenRecording('archives_by_old_rules', 'archives by a decision of other rules', 'archive.due', ({ good }) => ({
    dueArchives: async (scope, now, rulesVersion, limit) => [
      ...(await good.dueArchives(scope, now, rulesVersion, limit)),
      ...(await good.dueArchives(scope, now, 'rules-0', limit)),
    ],
  })),

  brokenRecording('warns_again', 'lists a warning that was given', 'warning.once', ({ all }) => ({
    dueWarnings: async (scope, now, limit) =>
      (await all(scope))
        .filter(({ state, decision }) => state === 'available' && Date.parse(decision?.warnAt ?? '') <= now.getTime())
        .slice(0, limit),
  })),

  brokenRecording('warned_before', 'keeps a warning that was taken back', 'warning.moved_back', ({ good }) => {
    const told = new Set<string>();
    return {
      recordWarning: async (scope, id, deadline, event) => {
        told.add(`${id}/${deadline}`);
        return good.recordWarning(scope, id, deadline, event);
      },
      dueWarnings: async (scope, now, limit) =>
        (await good.dueWarnings(scope, now, limit)).filter(
          ({ id, decision }) => !told.has(`${id}/${decision?.graceUntil}`),
        ),
    };
  }),

  brokenRecording('warns_twice', 'records a warning twice', 'warning.once', ({ good, context }) => ({
    recordWarning: async (scope, id, deadline, event) => {
      const answer = await good.recordWarning(scope, id, deadline, event);
      if (answer.status !== 'repeated') return answer;
      await context.stores.audit.append(scope, [event]);
      return { status: 'recorded' };
    },
  })),

  brokenRecording(
    'warns_of_the_past',
    'records a warning of a deadline that has moved',
    'warning.moved',
    ({ good }) => ({
      recordWarning: async (scope, id, deadline, event) => {
        const answer = await good.recordWarning(scope, id, deadline, event);
        return answer.status === 'stale' ? { status: 'recorded' } : answer;
      },
    }),
  ),
];
