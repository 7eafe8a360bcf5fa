import { type Claim, errorFields, type Scope } from '@medzen/core';
import { codeOf } from './backoff.ts';
import { checkWhole } from './check-input.ts';
import type { StopReport, TransferOptions } from './recordings.ts';
import { actingAs, type Room } from './room.ts';
import { halt, withdrawal } from './stop.ts';

/** A provider that does not answer within it leaves the recording to the next attempt. */
const defaultLeaseMs = 60_000;

/**
 * See `Recordings.stopWithdrawn`. One at a time, as in `transferDue`; the request stands in the row until the row says that it ended, so dying
 * between any two steps leaves a lease that ends and a stop that is done again.
 */
export async function stopWithdrawn(room: Room, scope: Scope, options: TransferOptions = {}): Promise<StopReport> {
  const { limit = 100, leaseMs = defaultLeaseMs, signal } = options;
  checkWhole(limit, 1, 1000, '/limit');
  checkWhole(leaseMs, 1000, 3_600_000, '/leaseMs');
  const stopped: string[] = [];
  const ended: string[] = [];
  const retrying: StopReport['retrying'][number][] = [];
  for (let done = 0; done < limit && signal?.aborted !== true; done++) {
    const [claim] = await room.stores.recordings.claimStops(scope, { limit: 1, leaseMs });
    if (claim === undefined) break;
    const { recording, token, attempts } = claim;
    try {
      const ours = await stopClaimed(room, scope, claim, signal);
      (ours ? stopped : ended).push(recording.id);
    } catch (error) {
      const code = codeOf(error);
      room.logger.error('recording: consent was withdrawn, and it still runs', {
        recording: recording.id,
        ...errorFields(error),
        attempts,
      });
      retrying.push({ id: recording.id, code, attempts });
      // Should the store be down as well, the lease ends by itself.
      await room.stores.recordings.releaseClaim(scope, recording.id, token, code).catch((failure: unknown) =>
        room.logger.warn('recording: a claim was not given back, and ends by itself', {
          recording: recording.id,
          ...errorFields(failure),
        }),
      );
    }
  }
  return { stopped, ended, retrying };
}

/** @returns whether it was this worker that ended it */
async function stopClaimed(
  room: Room,
  scope: Scope,
  { recording, token }: Claim,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const ctx = actingAs(scope, 'stop', 'system');
  const { stopped } = await halt(room, ctx, recording, withdrawal(recording), token, signal);
  return stopped;
}
