import type { Claim } from '@medzen/core';
import type { Fiber, Scheduler } from '../scheduler.ts';
import type { Invariant } from './invariants.ts';

/** When a worker last gave a row back with a failure: milliseconds, by recording. */
const failures = new WeakMap<Fiber, Map<string, number>>();

/** When a recording last changed its state or what is known of it, which ends every claim: milliseconds, by recording. */
const changes = new WeakMap<Scheduler, Map<string, number>>();

/** The longest lease of a claim, in milliseconds. */
const longestLease = 3_600_000;

/** Milliseconds for which a row that failed is not offered again. */
const shortestPause = 60_000;

export const fairQueues: Invariant = {
  id: 'rotates',
  sentence:
    'A worker that failed at a row leaves it alone for a minute, unless the row changed, so that it stands before no other.',
  *always({ world: { scheduler }, effect: { fiber, port, method, args, outcome } }) {
    if (port !== 'recordings' || !('value' in outcome)) return;
    const failed = failures.get(fiber) ?? new Map<string, number>();
    failures.set(fiber, failed);
    const changed = changes.get(scheduler) ?? new Map<string, number>();
    changes.set(scheduler, changed);
    const [, id, , failureCode] = args;
    if (method === 'change' && typeof id === 'string') changed.set(id, scheduler.now());
    const givesBack = method === 'cancelDeletion' || (method === 'releaseClaim' && failureCode !== undefined);
    if (givesBack && typeof id === 'string') {
      // A claim that a change has ended is not there to give back: the row starts anew.
      if (scheduler.now() - (changed.get(id) ?? Number.NEGATIVE_INFINITY) > longestLease)
        failed.set(id, scheduler.now());
    }
    if (method !== 'claimExpired' && method !== 'claimTransfers' && method !== 'claimStops') return;
    for (const { recording } of outcome.value as readonly Claim[]) // what these answer with
      if (scheduler.now() - (failed.get(recording.id) ?? Number.NEGATIVE_INFINITY) < shortestPause)
        yield `${recording.id}: ${fiber.name} took it up again at once`;
  },
};
