import type { Claim } from '@medzen/core';
import type { Fiber, Scheduler } from '../scheduler.ts';
import type { Invariant } from './invariants.ts';

/** When a worker last gave a row back with a failure: milliseconds, by recording. */
const failures = new WeakMap<Fiber, Map<string, number>>();

/** When a recording last changed its state or what is known of it, which ends every claim: milliseconds, by recording. */
const changes = new WeakMap<Scheduler, Map<string, number>>();

/** The newest claim that was given back, by recording. Later claims have higher numbers. */
const claims = new WeakMap<Scheduler, Map<string, number>>();

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
    const newest = claims.get(scheduler) ?? new Map<string, number>();
    claims.set(scheduler, newest);
    const [, id, token, failureCode] = args;
    if (method === 'change' && typeof id === 'string') changed.set(id, scheduler.now());
    const givesBack = method === 'cancelDeletion' || (method === 'releaseClaim' && failureCode !== undefined);
    if (givesBack && typeof id === 'string') {
      // A claim that a change or another worker has ended is not there to give back.
      const before = newest.get(id) ?? 0;
      const changedAt = changed.get(id) ?? Number.NEGATIVE_INFINITY;
      if (Number(token) >= before && scheduler.now() - changedAt > longestLease) failed.set(id, scheduler.now());
      newest.set(id, Math.max(before, Number(token)));
    }
    if (method !== 'claimExpired' && method !== 'claimTransfers' && method !== 'claimStops') return;
    for (const { recording } of outcome.value as readonly Claim[]) // what these answer with
      if (scheduler.now() - (failed.get(recording.id) ?? Number.NEGATIVE_INFINITY) < shortestPause)
        yield `${recording.id}: ${fiber.name} took it up again at once`;
  },
};
