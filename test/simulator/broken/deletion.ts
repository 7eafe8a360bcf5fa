import type { DeleteVersionsResult, Recording, Tombstone } from '@medzen/core';
import {
  type Broken,
  override,
  perWorld,
  type RecordingPort,
  withFirstStore,
  withObjects,
  withProviders,
  withRecordings,
  withRows,
} from './variant.ts';

/** Recordings of which an attempt failed, the first to fail first. */
const failedOnce = perWorld(() => new Set<string>());

/** What could go wrong from the end of the grace to the tombstone. */
export const brokenDeletions: readonly Broken[] = [
  {
    name: 'store-is-not-remembered',
    behavior: 'Media is looked for in the bucket that takes new media, wherever it lies.',
    foundBy: ['access'],
    deps: (deps) => withRows(withFirstStore(deps), withoutPlace),
  },
  {
    name: 'absence-is-proof',
    behavior: 'A bucket that holds nothing of a recording proves that it was deleted, though nothing was removed.',
    foundBy: ['tombstone-proved'],
    deps: (deps) =>
      withRows(withFirstStore(deps), (row) => (isBeingDeleted(row) ? withoutObject(row) : withoutPlace(row))),
  },
  {
    name: 'deletion-never-goes-back',
    behavior: 'A deletion that was begun goes on, whatever is noted before anything was removed.',
    foundBy: ['no-early-removal'],
    deps: (deps) =>
      withRows(withRecordings(deps, { cancelDeletion: () => async () => ({ status: 'beyond_recall' }) }), beyondRecall),
  },
  {
    name: 'late-word-is-refused',
    behavior: 'A hold, a request or a floor is too late as soon as a deletion was begun, though nothing was removed.',
    foundBy: ['recallable'],
    deps: (deps, world) => {
      const tooLate =
        (of: (args: readonly unknown[]) => unknown) =>
        (ask: (...args: unknown[]) => Promise<unknown>) =>
        async (...args: unknown[]) => {
          const id = of(args);
          const row = typeof id === 'string' ? await world.read(id) : undefined;
          return row?.state === 'deleting'
            ? { status: 'too_late', recordingIds: [row.id], recording: row }
            : ask(...args);
        };
      const target = (args: readonly unknown[]): unknown => {
        const [, { target: on }] = args as Parameters<RecordingPort['placeHold']>; // a request has a target too
        return 'recordingId' in on ? on.recordingId : undefined;
      };
      return withRecordings(deps, {
        cancelDeletion: () => async () => ({ status: 'beyond_recall' }),
        placeHold: tooLate(target),
        openAccessRequest: tooLate(target),
        extendKeep: tooLate((args) => args[1]),
      });
    },
  },
  {
    name: 'request-stops-nothing',
    behavior: 'An access request is noted where no deletion looks.',
    foundBy: ['no-early-deletion', 'no-early-removal'],
    deps: (deps) => withRecordings(deps, { openAccessRequest: () => async () => ({ status: 'opened', tooLate: [] }) }),
  },
  {
    name: 'links-only-while-available',
    behavior: 'In the grace nobody may play a recording.',
    foundBy: ['access'],
    deps: (deps) =>
      withRecordings(deps, {
        noteAccess:
          (noteAccess) =>
          async (...args) => {
            const [scope, id] = args as Parameters<RecordingPort['get']>; // the first two of `noteAccess`
            const recording = await deps.stores.recordings.get(scope, id);
            return recording?.state === 'archived' ? { status: 'not_available', recording } : noteAccess(...args);
          },
      }),
  },
  {
    name: 'counts-of-the-last-attempt',
    behavior: 'A tombstone counts what its own process removed, as if no other had begun.',
    foundBy: ['tombstone-counts'],
    deps: (deps) => {
      const removed = new Map<string, number>();
      const counting = withObjects(deps, (store) =>
        override(store, {
          deleteVersions:
            (remove) =>
            async (...args) => {
              const result = (await remove(...args)) as DeleteVersionsResult;
              for (const { key } of result.deleted) {
                const id = key.split('/')[3] ?? '';
                removed.set(id, (removed.get(id) ?? 0) + 1);
              }
              return result;
            },
        }),
      );
      return withRecordings(counting, {
        finishDeletion:
          (finish) =>
          async (...args) => {
            const [scope, id, token, tombstone, event] = args as Parameters<RecordingPort['finishDeletion']>; // as the port has it
            const versionsDeleted = removed.get(id) ?? 0;
            const told: Tombstone = {
              ...tombstone,
              versionsDeleted,
              ...(versionsDeleted === 0 ? { bytesDeleted: 0 } : {}),
            };
            return finish(scope, id, token, told, event);
          },
      });
    },
  },
  {
    name: 'failed-row-stays-first',
    behavior: 'A row that cannot be dealt with keeps its place at the head of the queue.',
    foundBy: ['rotates', 'due-is-deleted', 'settled'],
    deps: (deps, world) => {
      const failed = failedOnce(world);
      const noting =
        (give: (...args: unknown[]) => Promise<unknown>) =>
        async (...args: unknown[]) => {
          if (typeof args[1] === 'string') failed.add(args[1]);
          return give(...args);
        };
      const firstAgain =
        (claim: (...args: unknown[]) => Promise<unknown>) =>
        async (...args: unknown[]) => {
          const options = args.at(-1);
          for (const id of failed) {
            // By id the pause after a failure is passed over.
            const again = await claim(...args.slice(0, -1), { ...(options as object), id }); // options of a claim
            if (Array.isArray(again) && again.length > 0) return again;
          }
          return claim(...args);
        };
      return withRecordings(deps, {
        releaseClaim: noting,
        cancelDeletion: noting,
        claimExpired: firstAgain,
        claimTransfers: firstAgain,
      });
    },
  },
  {
    name: 'provider-is-not-asked-to-forget',
    behavior: "The provider's copy stays when a recording is deleted.",
    foundBy: ['tombstone-proved', 'provider-forgets'],
    deps: (deps) => withProviders(deps, { discard: () => async () => ({}) }),
  },
  {
    name: 'lock-is-gone-around',
    behavior: 'A version that may not be deleted counts as deleted.',
    foundBy: ['tombstone-proved', 'answered-for'],
    deps: (deps) =>
      withObjects(deps, (store) => {
        let asked = false;
        return override(store, {
          deleteVersions:
            (remove) =>
            async (...args) => {
              await remove(...args);
              asked = true;
              return { deleted: args[0], errors: [] };
            },
          listVersions:
            (list) =>
            async (...args) =>
              asked ? { versions: [] } : list(...args),
        });
      }),
  },
];

function isBeingDeleted({ state, decision }: Recording): boolean {
  return state === 'archived' || state === 'deleting' || (state === 'available' && decision?.graceUntil !== undefined);
}

function withoutPlace({ storage: _, ...row }: Recording): Recording {
  return row;
}

function withoutObject(row: Recording): Recording {
  const { object: _, ...rest } = withoutPlace(row);
  return rest;
}

function beyondRecall(row: Recording): Recording {
  if (row.state !== 'deleting' || row.deletion === undefined) return row;
  return { ...row, deletion: { ...row.deletion, versions: Math.max(1, row.deletion.versions) } };
}
