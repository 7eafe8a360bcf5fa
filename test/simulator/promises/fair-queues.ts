import type { Claim } from '@medzen/core';
import type { Fiber } from '../scheduler.ts';
import type { Invariant } from './invariants.ts';

/** When a worker last gave a row back with a failure: milliseconds, by recording. */
const failures = new WeakMap<Fiber, Map<string, number>>();

/** Milliseconds for which a row that failed is not offered again. */
const shortestPause = 60_000;

export const fairQueues: Invariant = {
  id: 'rotates',
  sentence: 'A worker that failed at a row leaves it alone for a minute, so that it stands before no other.',
  *always({ world: { scheduler }, effect: { fiber, port, method, args, outcome } }) {
    if (port !== 'recordings' || !('value' in outcome)) return;
    const failed = failures.get(fiber) ?? new Map<string, number>();
    failures.set(fiber, failed);
    const [, id, , failureCode] = args;
    const givesBack = method === 'cancelDeletion' || (method === 'releaseClaim' && failureCode !== undefined);
    if (givesBack && typeof id === 'string') failed.set(id, scheduler.now());
    if (method !== 'claimExpired' && method !== 'claimTransfers' && method !== 'claimStops') return;
    for (const { recording } of outcome.value as readonly Claim[]) // what these answer with
      if (scheduler.now() - (failed.get(recording.id) ?? Number.NEGATIVE_INFINITY) < shortestPause)
        yield `${recording.id}: ${fiber.name} took it up again at once`;
  },
};
