import { type Claim, errorFields, MedzenError, type Scope } from '@medzen/core';
import type { Room } from '../room.ts';

/** A claim that is kept for as long as the work goes on. */
export interface Lease {
  /** Aborted, with a `MedzenError` as reason, when the claim is lost or nothing has moved for too long. What is done after that would be thrown away. */
  readonly signal: AbortSignal;
  /** Something moved. Renews the lease when a third of it has passed. */
  readonly moved: () => Promise<void>;
  /** To be called in the end, whatever happened. */
  readonly end: () => void;
}

/**
 * Renews a claim while its work goes on, however slow: with each thing that moves, and by a timer in between. The work ends when another worker
 * holds the claim, when the store could not be asked for a whole lease, or when nothing has moved for `stallMs`: a connection that is silent
 * must not hold a recording for ever.
 *
 * @param outer - ends it as well
 */
export function keepLease(room: Room, scope: Scope, claim: Claim, leaseMs: number, outer?: AbortSignal): Lease {
  const { id } = claim.recording;
  const { stallMs } = room.timeouts;
  const over = new AbortController();
  let renewedAt = room.clock.now().getTime();
  let asking: Promise<void> | undefined;
  const renew = async (): Promise<void> => {
    const began = room.clock.now().getTime();
    try {
      if (await room.stores.recordings.renewClaim(scope, id, claim.token, leaseMs)) renewedAt = began;
      else over.abort(new MedzenError('lease_lost', 'Another worker took the transfer over'));
    } catch (error) {
      room.logger.warn('recording: a lease could not be renewed', { recording: id, ...errorFields(error) });
      if (room.clock.now().getTime() - renewedAt >= leaseMs)
        over.abort(new MedzenError('lease_lost', 'The lease ended while the store was away'));
    }
  };
  const renewOnce = (): Promise<void> => {
    asking ??= renew().finally(() => {
      asking = undefined;
    });
    return asking;
  };
  const stall = (): ReturnType<typeof setTimeout> =>
    setTimeout(
      () =>
        over.abort(new MedzenError('provider_unavailable', `The transfer made no progress for ${stallMs} ms; retry`)),
      stallMs,
    );
  let watchdog = stall();
  let ended = false;
  const timer = setInterval(() => void renewOnce(), leaseMs / 3);
  return {
    signal: outer === undefined ? over.signal : AbortSignal.any([over.signal, outer]),
    moved: async () => {
      if (ended) return; // of a call that was left behind
      clearTimeout(watchdog);
      watchdog = stall();
      if (room.clock.now().getTime() - renewedAt >= leaseMs / 3) await renewOnce();
    },
    end: () => {
      ended = true;
      clearTimeout(watchdog);
      clearInterval(timer);
    },
  };
}
