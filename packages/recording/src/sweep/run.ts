import { type CallContext, errorFields, type PostponedQueue, type Scope } from '@medzen/core';
import { codeOf } from '../backoff.ts';
import type { Room } from '../room.ts';
import type { SweepFailure, SweepReport } from './report.ts';

/** A report while it is being filled. */
export type SweepTally = {
  -readonly [K in keyof Omit<
    SweepReport,
    'startedAt' | 'finishedAt' | 'stopped'
  >]: SweepReport[K] extends readonly (infer Item)[] ? Item[] : SweepReport[K];
};

/** One sweep under way. */
export interface SweepRun {
  readonly room: Room;
  readonly scope: Scope;
  readonly ctx: CallContext;
  readonly limit: number;
  readonly leaseMs: number;
  /** Deadlines are judged at it: this process's clock, or the store's once that is known to be earlier. */
  now: Date;
  readonly signal: AbortSignal | undefined;
  readonly tally: SweepTally;
}

/** Checks whether to stop before the next row. */
export function aborted({ signal }: SweepRun): boolean {
  return signal?.aborted === true;
}

/**
 * Does something for one row. Its failure is reported and stops nothing else; what an abort cut short is left to the next run.
 */
export async function forRow(
  run: SweepRun,
  id: string,
  step: SweepFailure['step'],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    // Stopped by the operator in mid-way: no failure of the row.
    if (aborted(run)) return;
    const code = codeOf(error);
    run.room.logger.warn('recording: the sweep left a row', { recording: id, step, ...errorFields(error) });
    const attempts = await setAside(run, id, step, code);
    run.tally.failed.push({ id, step, code, ...(attempts === undefined ? {} : { attempts }) });
  }
}

const queues: Partial<Record<SweepFailure['step'], PostponedQueue>> = {
  warn: 'warning',
  archive: 'archive',
  discard: 'discard',
};

/** Takes a row that failed out of its queue for a while, so that it blocks no other row. Should the store be down, it is tried again sooner. */
export async function setAside(
  { room, scope, now }: SweepRun,
  id: string,
  step: SweepFailure['step'],
  code: string,
): Promise<number | undefined> {
  const queue = queues[step];
  if (queue === undefined) return undefined;
  const postponed = await room.stores.recordings.postpone(scope, id, queue, code, now).catch(() => undefined);
  return postponed?.attempts;
}
