import { isLive, type Recording } from '@medzen/core';
import { compose } from '../compose.ts';
import { revise } from '../revise.ts';
import { about, providerOf, seal, timestamp } from '../room.ts';
import { endCapture } from '../same-room.ts';
import { stopWithdrawn } from '../stop-withdrawn.ts';
import { aborted, forRow, type SweepRun } from './run.ts';

const minute = 60_000;
/** After so long a media that nobody asked for, or whose notice was lost, is asked for again. */
const composeAfterMs = 10 * minute;
const stuckAfterMs = 7 * 24 * 60 * minute;

/** Stops what should not run any more. It asks no deadline, so a wrong clock does not stand in its way. */
export async function stopRequested({ room, scope, limit, signal, tally }: SweepRun): Promise<void> {
  const report = await stopWithdrawn(room, scope, { limit, ...(signal === undefined ? {} : { signal }) });
  tally.withdrawn.push(...report.stopped);
  tally.failed.push(...report.retrying.map((failure) => ({ ...failure, step: 'stop' as const })));
}

/**
 * Asks again for media that should be under way: a callback may have been lost, or we died before asking. And has it stopped once more: what
 * started it may have died as well, after it was stopped and before it looked again.
 */
export async function composeWaiting(run: SweepRun): Promise<void> {
  const { room, scope, ctx } = run;
  for (const recording of await olderThan(run, composeAfterMs)) {
    if (aborted(run)) return;
    if (recording.state !== 'processing') continue;
    await forRow(run, recording.id, 'compose', async () => {
      if (recording.media === undefined) await endCapture(room, scope, recording);
      await compose(room, ctx, recording);
    });
  }
}

/** Fails what has been on its way for a week, so that a person sees it. Capture that may still run is stopped first. */
export async function failStuck(run: SweepRun): Promise<void> {
  const { room, scope, ctx, tally } = run;
  for (const recording of await olderThan(run, stuckAfterMs)) {
    if (aborted(run)) return;
    await forRow(run, recording.id, 'fail_stuck', async () => {
      if (isLive(recording)) await providerOf(room, recording).stop(recording);
      const result = await revise(room, scope, recording, (row) => {
        if (row.state !== recording.state) return undefined;
        const at = timestamp(room);
        return {
          change: { to: 'failed', at, failure: { code: 'stuck', at, attempts: row.failure?.attempts ?? 0 } },
          event: seal(room, ctx, {
            action: 'recording.failed',
            kind: 'update',
            outcome: 'failed',
            ...about(row),
            detail: { code: 'stuck', from: row.state },
          }),
        };
      });
      if (result.status === 'changed') tally.stuck.push(recording.id);
    });
  }
}

function olderThan({ room, scope, now, limit }: SweepRun, ms: number): Promise<readonly Recording[]> {
  return room.stores.recordings.stuck(scope, new Date(now.getTime() - ms), limit);
}
