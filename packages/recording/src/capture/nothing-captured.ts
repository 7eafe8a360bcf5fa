import { type CallContext, isMedzenError, mayStillRun, type Recording } from '@medzen/core';
import type { Room } from '../room.ts';
import { waitingInSameRoom } from '../same-room.ts';
import { halt } from '../stop.ts';
import { applyPlan } from './apply-plan.ts';
import { planLook } from './look-plan.ts';
import { look } from './reconcile.ts';

/** Verdict about a failed recording that has no media of its own. */
export interface EmptyVerdict {
  /**
   * `nothing`: the provider says that nothing was ever captured, or what it captured belongs to another recording. `expired`: it had
   * something, and has deleted it. `kept`: there is, or may be, something to keep, and only retention may end it.
   */
  readonly verdict: 'nothing' | 'expired' | 'kept';
  /** As it is after asking; it may be on its way home by then. */
  readonly recording: Recording;
}

/**
 * Asks the provider whether nothing of a failed recording was ever stored, before anybody may believe it. What may still run is stopped
 * first: afterwards nothing would remember it.
 *
 * @param recording - `failed`, without `media` and `object`
 * @throws MedzenError `provider_unavailable`: nobody can say now
 */
export async function nothingCaptured(room: Room, ctx: CallContext, recording: Recording): Promise<EmptyVerdict> {
  if (!Object.hasOwn(room.providers, recording.provider)) return { verdict: 'kept', recording };
  if (mayStillRun(recording)) await halt(room, ctx, recording);
  const row = (await room.stores.recordings.get(ctx.scope, recording.id)) ?? recording;
  if (row.state !== 'failed' || row.media !== undefined) return { verdict: 'kept', recording: row };
  // What the provider holds of this session is not lost with it: the other one fetches it.
  if ((await waitingInSameRoom(room, ctx.scope, row)) !== undefined) return { verdict: 'nothing', recording: row };
  const answer = await look(room, row);
  if (answer.status === 'none') {
    // While the session goes on a lost start may still take effect; a refused one was never under way.
    const final = !answer.sessionOpen || row.failure?.code === 'not_available';
    return { verdict: final ? 'nothing' : 'kept', recording: row };
  }
  if (answer.status === 'expired') return { verdict: 'expired', recording: row };
  const now = await room.stores.recordings.clock();
  try {
    const applied = await applyPlan(room, ctx, row, planLook(row, answer, now, 1));
    return { verdict: 'kept', recording: applied.recording };
  } catch (error) {
    // That it cannot be brought home now does not make it less there.
    if (isMedzenError(error)) return { verdict: 'kept', recording: row };
    throw error;
  }
}
