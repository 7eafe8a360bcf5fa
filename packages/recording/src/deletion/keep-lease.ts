import { type Claim, MedzenError, type Scope } from '@medzen/core';
import type { Room } from '../room.ts';

/**
 * Keeps a claim while the work under it goes on: to be called between two steps, each of which is shorter than a third of the lease.
 *
 * @returns renews the lease once a third of it has passed
 * @throws (the returned function) MedzenError `lease_lost` when another worker has the row
 */
export function keepLease(
  room: Pick<Room, 'stores' | 'clock'>,
  scope: Scope,
  { recording, token }: Claim,
  leaseMs: number,
): () => Promise<void> {
  let since = room.clock.now().getTime();
  return async () => {
    const now = room.clock.now().getTime();
    // A clock that was set back renews too.
    if (Math.abs(now - since) < leaseMs / 3) return;
    const ours = await room.stores.recordings.renewClaim(scope, recording.id, token, leaseMs);
    if (!ours) throw new MedzenError('lease_lost', 'Another worker took the recording over');
    since = now;
  };
}
