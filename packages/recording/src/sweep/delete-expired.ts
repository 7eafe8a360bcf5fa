import { errorFields } from '@medzen/core';
import { codeOf } from '../backoff.ts';
import { deleteClaimed } from '../deletion/delete-claimed.ts';
import { aborted, type SweepRun } from './run.ts';

/** Failed so often, a row is reported to people. The store offers it later each time, so it starves nobody. */
const poisonedAfter = 5;

/** Stands in the tombstone of what no person asked to be deleted. */
const reason = 'Retention and grace have ended';

/**
 * Deletes what may be deleted, earliest deadline first. Claimed one by one: a row waits for its turn without a lease running out, and an
 * aborted run has nothing to give back. What nobody was warned of in time is not due.
 */
export async function deleteExpired(run: SweepRun): Promise<void> {
  const { room, scope, ctx, limit, leaseMs, now, signal, tally } = run;
  const { rulesVersion } = room.retention;
  for (let done = 0; done < limit && !aborted(run); done++) {
    const [claim] = await room.stores.recordings.claimExpired(scope, now, rulesVersion, { limit: 1, leaseMs });
    if (claim === undefined) return;
    const { id } = claim.recording;
    try {
      const result = await deleteClaimed(room, ctx, claim, { now, reason, leaseMs, signal });
      tally.versions += result.versions;
      tally.bytes += result.bytes;
      if (result.status === 'deleted') tally.deleted.push(id);
      else {
        const { lockedUntil } = result;
        tally.deferred.push({ id, reason: result.reason, ...(lockedUntil === undefined ? {} : { lockedUntil }) });
        if (result.canceled) tally.canceled.push(id);
      }
    } catch (error) {
      // Stopped by the operator in mid-way: no failure of the row, which goes on where it was.
      if (aborted(run)) return room.stores.recordings.releaseClaim(scope, id, claim.token);
      const code = codeOf(error);
      room.logger.warn('recording: a deletion failed', {
        recording: id,
        ...errorFields(error),
        attempts: claim.attempts,
      });
      tally.failed.push({ id, step: 'delete', code, attempts: claim.attempts });
      if (claim.attempts >= poisonedAfter) tally.poisoned.push(id);
      // Should the store be down as well, the lease ends by itself and the next claim answers for it.
      await room.stores.recordings.releaseClaim(scope, id, claim.token, code).catch((failure: unknown) =>
        room.logger.warn('recording: a claim was not given back, and ends by itself', {
          recording: id,
          ...errorFields(failure),
        }),
      );
    }
  }
}
