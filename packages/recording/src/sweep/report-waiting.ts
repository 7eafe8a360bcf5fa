import type { SweepRun } from './run.ts';

/** Reports what waits and should not: rows that failed, and requests that are overdue. */
export async function reportWaiting({ room, scope, now, limit, tally }: SweepRun): Promise<void> {
  tally.postponed = await room.stores.recordings.countPostponed(scope, now);
  const query = { dueBefore: now, limit: Math.min(limit, 200) };
  const { requests } = await room.stores.recordings.accessRequests(scope, query);
  tally.overdueAccessRequests.push(...requests.map(({ id, dueAt }) => ({ id, dueAt })));
}
