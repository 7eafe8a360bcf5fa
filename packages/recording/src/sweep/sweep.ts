import { errorFields, isMedzenError, type Scope } from '@medzen/core';
import { checkWhole } from '../check-input.ts';
import { actingAs, type Room, timestamp } from '../room.ts';
import { archiveDue } from './archive-due.ts';
import { reconcileLate, stopRequested } from './attend-stuck.ts';
import { checkClock } from './check-clock.ts';
import { decideStale } from './decide-stale.ts';
import { deleteExpired } from './delete-expired.ts';
import { discardRemaining } from './discard-remaining.ts';
import type { SweepOptions, SweepReport } from './report.ts';
import { reportUndecided } from './report-undecided.ts';
import { reportWaiting } from './report-waiting.ts';
import type { SweepRun, SweepTally } from './run.ts';
import { warnDue } from './warn-due.ts';

/**
 * In this order: what has to stop is stopped before anything that could fail; what a new fact moves is not warned of, archived or deleted by
 * yesterday's decision.
 */
const steps: readonly ((run: SweepRun) => Promise<void>)[] = [
  stopRequested,
  reconcileLate,
  async (run) => {
    run.now = await checkClock(run.room, run.now);
  },
  decideStale,
  warnDue,
  archiveDue,
  discardRemaining,
  deleteExpired,
  reportUndecided,
  reportWaiting,
];

/** See `Recordings.sweep`. */
export async function sweep(room: Room, scope: Scope, options: SweepOptions = {}): Promise<SweepReport> {
  const { limit = 100, leaseMs = 5 * 60_000, signal } = options;
  checkWhole(limit, 1, 1000, '/limit');
  checkWhole(leaseMs, 1000, 3_600_000, '/leaseMs');
  const startedAt = timestamp(room);
  const tally: SweepTally = {
    withdrawn: [],
    reconciled: [],
    decided: 0,
    warned: [],
    archived: [],
    restored: [],
    deleted: [],
    deferred: [],
    canceled: [],
    postponed: { warning: 0, archive: 0, discard: 0, deletion: 0 },
    overdueAccessRequests: [],
    failed: [],
    poisoned: [],
    stuck: [],
    discarded: [],
    undecided: { count: 0, recordings: [] },
    versions: 0,
    bytes: 0,
  };
  const run: SweepRun = {
    room,
    scope,
    ctx: actingAs(scope, 'sweep', 'system'),
    limit,
    leaseMs,
    now: options.now ?? room.clock.now(),
    signal,
    tally,
  };
  let stopped: SweepReport['stopped'];
  for (const step of steps) {
    if (signal?.aborted === true) stopped = 'aborted';
    if (stopped !== undefined) break;
    try {
      await step(run);
    } catch (error) {
      // A step catches what concerns one row; what gets here concerns the store.
      if (!isMedzenError(error) || !error.retryable) throw error;
      room.logger.error('recording: the sweep stopped early', errorFields(error));
      stopped = 'store_unavailable';
    }
  }
  if (stopped === undefined && signal?.aborted === true) stopped = 'aborted';
  return { startedAt, finishedAt: timestamp(room), ...tally, ...(stopped === undefined ? {} : { stopped }) };
}
