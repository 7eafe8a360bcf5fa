import type { BrokenStore } from '../../broken-store.ts';
import type { RecordingStoreContext } from '../../store-context.ts';
import { brokenRecording } from './recording-fault.ts';

/** What is noted of removals, the way back, access requests and queues. */
export const brokenRemovals: readonly BrokenStore<RecordingStoreContext>[] = [
  brokenRecording('counts_again', 'counts a version again that was noted before', 'removal.counts', ({ good }) => {
    let times = 0;
    return {
      noteRemoval: (scope, id, removal) => {
        times += 1;
        const again = removal.removing?.map(({ ref, size }) => ({ ref: `${ref}/${times}`, size }));
        return good.noteRemoval(scope, id, { ...removal, ...(again === undefined ? {} : { removing: again }) });
      },
    };
  }),

  brokenRecording('removes_held', 'notes the first removal under a hold', 'removal.first', ({ good }) => ({
    noteRemoval: async (scope, id, removal) => {
      const answer = await good.noteRemoval(scope, id, removal);
      const recording = await good.get(scope, id);
      return answer.status === 'held' && recording !== undefined ? { status: 'noted', recording } : answer;
    },
  })),

  brokenRecording(
    'resurrects',
    'takes back a deletion that has removed something',
    'cancel.beyond_recall',
    ({ good }) => ({
      cancelDeletion: async (scope, id, cancel, event) => {
        const answer = await good.cancelDeletion(scope, id, cancel, event);
        const recording = await good.get(scope, id);
        return answer.status === 'beyond_recall' && recording !== undefined
          ? { status: 'canceled', recording }
          : answer;
      },
    }),
  ),

  brokenRecording('stays_archived', 'leaves in archived what its decision keeps', 'cancel.kept', ({ good }) => ({
    cancelDeletion: async (scope, id, cancel, event) => {
      const answer = await good.cancelDeletion(scope, id, cancel, event);
      if (answer.status !== 'canceled') return answer;
      return { ...answer, recording: { ...answer.recording, state: 'archived' } };
    },
  })),

  brokenRecording('finishes_held', 'writes a tombstone under a hold', 'finish.kept', ({ good }) => ({
    finishDeletion: async (scope, id, token, tombstone, event) => {
      const answer = await good.finishDeletion(scope, id, token, tombstone, event);
      const recording = await good.get(scope, id);
      return answer.status === 'held' && recording !== undefined ? { status: 'finished', recording } : answer;
    },
  })),

  brokenRecording('forgets_locks', 'does not keep what was read of a lock', 'lock', ({ good }) => ({
    noteLock: (scope, id, token) => good.noteLock(scope, id, token, null),
  })),

  brokenRecording('forgets_postponed', 'offers at once what was postponed', 'postponed', ({ good, all }) => ({
    dueWarnings: async (scope, now, limit) => {
      const due = (await all(scope)).filter(
        ({ decision, deletableAt }) => decision?.warnAt !== undefined && deletableAt === undefined,
      );
      return due.length > 0 ? due.slice(0, limit) : good.dueWarnings(scope, now, limit);
    },
  })),

  brokenRecording('head_blocks', 'lists first what has failed before', 'postponed.rotates', ({ good }) => {
    const failed: string[] = [];
    return {
      postpone: async (scope, id, queue, code, now) => {
        failed.unshift(id);
        return good.postpone(scope, id, queue, code, now);
      },
      dueWarnings: async (scope, now, limit) => {
        const due = await good.dueWarnings(scope, now, 1000);
        return due.toSorted((a, b) => failed.indexOf(b.id) - failed.indexOf(a.id)).slice(0, limit);
      },
    };
  }),

  brokenRecording('newest_copies', 'offers the newest remaining copies first', 'discards.oldest', ({ good }) => ({
    dueDiscards: async (scope, code, now, limit) =>
      (await good.dueDiscards(scope, code, now, 1000)).toReversed().slice(0, limit),
  })),

  brokenRecording(
    'hides_the_gone',
    'does not name what a hold on a patient does not reach',
    'hold.patient_too_late',
    ({ good }) => ({
      placeHold: async (scope, hold, event) => {
        const answer = await good.placeHold(scope, hold, event);
        return answer.status === 'placed' ? { ...answer, tooLate: [] } : answer;
      },
    }),
  ),

  brokenRecording('locks_out', 'counts accesses of available recordings only', 'access.while_stored', ({ good }) => ({
    noteAccess: async (scope, id, kind, event) => {
      const recording = await good.get(scope, id);
      if (recording !== undefined && recording.state !== 'available') return { status: 'not_available', recording };
      return good.noteAccess(scope, id, kind, event);
    },
  })),

  brokenRecording('deaf_to_requests', 'claims what a person has asked for', 'access_request.open', ({ good, all }) => ({
    claimExpired: async (scope, now, rulesVersion, options) => {
      const asked = (await all(scope)).filter((row) => row.accessRequests > 0 && row.id === options.id);
      const claims = await good.claimExpired(scope, now, rulesVersion, options);
      return [...claims, ...asked.map((recording) => ({ recording, token: '1', attempts: 1 }))];
    },
  })),

  brokenRecording(
    'extends_for_ever',
    'extends a request as often as it is asked',
    'access_request.due',
    ({ good }) => ({
      extendAccessRequest: async (scope, id, extension, event) => {
        const answer = await good.extendAccessRequest(scope, id, extension, event);
        return answer.status === 'already_extended' ? { status: 'extended' } : answer;
      },
    }),
  ),
];
