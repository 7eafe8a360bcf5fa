import { isMedzenError, type SealedEvent } from '@medzen/core';
import type { BrokenStore } from '../../broken-store.ts';
import { deletionReason } from '../../samples.ts';
import type { RecordingStoreContext } from '../../store-context.ts';
import { brokenRecording } from './recording-fault.ts';

/** Holds, deletions, and events that part from their change. */
export const brokenDeletions: readonly BrokenStore<RecordingStoreContext>[] = [
  brokenRecording('holds_too_late', 'places a hold on what is being deleted', 'hold.too_late', ({ good }) => ({
    placeHold: async (scope, hold, event) => {
      const answer = await good.placeHold(scope, hold, event);
      return answer.status === 'too_late' ? { status: 'placed', tooLate: [] } : answer;
    },
  })),

  brokenRecording('one_hold', 'keeps one hold a recording', 'hold.several', ({ good }) => ({
    placeHold: async (scope, hold, event) => {
      const held = 'recordingId' in hold.target && (await good.holds(scope, hold.target.recordingId)).length > 0;
      return held ? { status: 'placed', tooLate: [] } : good.placeHold(scope, hold, event);
    },
  })),

  brokenRecording(
    'holds_what_is_there',
    'puts a hold on a patient on the recordings of today only',
    'hold.patient',
    ({ good, all, samples }) => ({
      placeHold: async (scope, hold, event) => {
        if ('recordingId' in hold.target) return good.placeHold(scope, hold, event);
        const { patient } = hold.target;
        for (const row of (await all(scope)).filter((one) => one.patient === patient))
          await good.placeHold(scope, { ...hold, id: samples.ids.uuid(), target: { recordingId: row.id } }, event);
        return { status: 'placed', tooLate: [] };
      },
    }),
  ),

  brokenRecording('moves_holds', 'moves a hold to another target', 'hold.repeated', ({ good }) => ({
    placeHold: async (scope, hold, event) => {
      try {
        return await good.placeHold(scope, hold, event);
      } catch (error) {
        if (isMedzenError(error) && error.code === 'conflict') return { status: 'placed', tooLate: [] };
        throw error;
      }
    },
  })),

  brokenRecording('forgets_released', 'does not list released holds', 'hold.several', ({ good }) => ({
    holds: async (scope, id) => (await good.holds(scope, id)).filter(({ releasedAt }) => releasedAt === undefined),
  })),

  brokenRecording('claims_held', 'claims what is held', 'hold.several', ({ good, all }) => ({
    claimExpired: async (scope, now, rulesVersion, options) => {
      const held = (await all(scope)).filter((row) => row.holds > 0 && row.id === options.id);
      const claims = await good.claimExpired(scope, now, rulesVersion, options);
      return [...claims, ...held.map((recording) => ({ recording, token: '1', attempts: 1 }))];
    },
  })),

  brokenRecording('claims_early', 'claims a day early', 'expired.moment', ({ good }) => ({
    claimExpired: (scope, now, rulesVersion, options) =>
      good.claimExpired(scope, new Date(now.getTime() + 86_400_000), rulesVersion, options),
  })),

  brokenRecording(
    'cuts_notice',
    'claims at the deadline, however late its warning was',
    'expired.late_warning',
    ({ good, all }) => ({
      claimExpired: async (scope, now, rulesVersion, options) => {
        const early = (await all(scope)).filter(
          ({ id, decision, deletableAt }) =>
            id === options.id && deletableAt !== undefined && Date.parse(decision?.graceUntil ?? '') <= now.getTime(),
        );
        const claims = await good.claimExpired(scope, now, rulesVersion, options);
        return claims.length > 0 ? claims : early.map((recording) => ({ recording, token: '1', attempts: 1 }));
      },
    }),
  ),

  brokenRecording(
    'warns_nobody',
    'claims what nobody was warned of',
    'expired.not_warned',
    ({ good, all, samples }) => ({
      claimExpired: async (scope, now, rulesVersion, options) => {
        for (const { id, decision } of await all(scope))
          if (decision?.graceUntil !== undefined)
            await good.recordWarning(scope, id, decision.graceUntil, samples.event());
        return good.claimExpired(scope, now, rulesVersion, options);
      },
    }),
  ),

  brokenRecording(
    'claims_by_old_rules',
    'claims by a decision of other rules',
    'decision.stale_is_not_claimed',
    ({ good }) => ({
      claimExpired: async (scope, now, rulesVersion, options) => [
        ...(await good.claimExpired(scope, now, rulesVersion, options)),
        ...(await good.claimExpired(scope, now, 'rules-0', options)),
      ],
    }),
  ),

  brokenRecording('any_deadline_first', 'claims the latest deadline first', 'expired.due', ({ good }) => ({
    claimExpired: async (scope, now, rulesVersion, options) => {
      const claims = await good.claimExpired(scope, now, rulesVersion, { ...options, limit: 1000 });
      const chosen = claims.toReversed();
      for (const { recording, token } of chosen.slice(options.limit))
        await good.releaseClaim(scope, recording.id, token);
      return chosen.slice(0, options.limit);
    },
  })),

  brokenRecording('deletes_stale', 'begins a deletion on stale facts', 'begin.stale', ({ good }) => ({
    beginDeletion: async (scope, id, intent, event) => {
      const row = await good.get(scope, id);
      const factsRevision = row?.decision?.factsRevision ?? 0;
      const rulesVersion = row?.decision?.rulesVersion ?? '';
      return good.beginDeletion(scope, id, { ...intent, factsRevision, rulesVersion }, event);
    },
  })),

  brokenRecording('deletes_held', 'begins a deletion under a hold', 'hold.between', ({ good, context }) => ({
    beginDeletion: async (scope, id, intent, event) => {
      const answer = await good.beginDeletion(scope, id, intent, event);
      const recording = await good.get(scope, id);
      if (answer.status !== 'held' || recording === undefined) return answer;
      await context.stores.audit.append(scope, [event]);
      return { status: 'begun', recording };
    },
  })),

  brokenRecording('deletes_early', 'begins a deletion before the grace has ended', 'begin.not_due', ({ good }) => ({
    beginDeletion: (scope, id, intent, event) =>
      good.beginDeletion(scope, id, { ...intent, now: new Date('9000-01-01T00:00:00Z') }, event),
  })),

  brokenRecording('begins_twice', 'writes an event each time a deletion is begun', 'begin', ({ good, context }) => ({
    beginDeletion: async (scope, id, intent, event) => {
      const answer = await good.beginDeletion(scope, id, intent, event);
      if (answer.status === 'begun') await context.stores.audit.append(scope, [event]);
      return answer;
    },
  })),

  brokenRecording('fences_nobody', 'does not look whose claim a deletion is', 'begin.fenced', ({ good }) => {
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

  brokenRecording('two_tombstones', 'finishes a deletion twice', 'finish.at_once', ({ good }) => ({
    finishDeletion: async (scope, id, token, tombstone, event) => {
      const answer = await good.finishDeletion(scope, id, token, tombstone, event);
      const recording = await good.get(scope, id);
      return answer.status === 'already_deleted' && recording !== undefined
        ? { status: 'finished', recording }
        : answer;
    },
  })),

  brokenRecording('keeps_references', 'keeps the reference to the object', 'finish', ({ good, samples }) => ({
    finishDeletion: async (scope, id, token, tombstone, event) => {
      const answer = await good.finishDeletion(scope, id, token, tombstone, event);
      if (answer.status !== 'finished') return answer;
      return { ...answer, recording: { ...answer.recording, object: samples.object() } };
    },
  })),

  brokenRecording('forgets_expiry', 'does not keep that the media had expired', 'finish', ({ good }) => ({
    finishDeletion: (scope, id, token, { mediaExpired: _, ...tombstone }, event) =>
      good.finishDeletion(scope, id, token, tombstone, event),
  })),

  brokenRecording('finishes_unbegun', 'deletes what was not begun', 'finish.not_begun', ({ good, samples }) => ({
    finishDeletion: async (scope, id, token, tombstone, event) => {
      const row = await good.get(scope, id);
      const { factsRevision = 0, rulesVersion = '', graceUntil = '' } = row?.decision ?? {};
      const intent = { ...deletionReason, token, factsRevision, rulesVersion, now: new Date(graceUntil) };
      if (row?.state === 'available') await good.beginDeletion(scope, id, intent, samples.event());
      return good.finishDeletion(scope, id, token, tombstone, event);
    },
  })),

  brokenRecording('forgives_events', 'changes though its event was refused', 'atomic.change', ({ good, samples }) => ({
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

  brokenRecording('doubles_events', 'writes a second event', 'atomic.placeHold', ({ good, context, samples }) => ({
    placeHold: async (scope, hold, event) => {
      const answer = await good.placeHold(scope, hold, event);
      if (answer.status === 'placed') await context.stores.audit.append(scope, [samples.event()]);
      return answer;
    },
  })),

  brokenRecording(
    'event_without_change',
    'writes the event and not the change',
    'access.counted',
    ({ good, context }) => ({
      noteAccess: async (scope, id, _, event: SealedEvent) => {
        const recording = await good.get(scope, id);
        if (recording === undefined) return { status: 'not_found' };
        await context.stores.audit.append(scope, [event]);
        return { status: 'noted', recording };
      },
    }),
  ),
];
