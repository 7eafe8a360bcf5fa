import { type CallContext, isLive, isMedzenError, MedzenError, mayStillRun, type Recording } from '@medzen/core';
import { codeOf } from '../backoff.ts';
import { withDeadline } from '../deadline.ts';
import { revise } from '../revise.ts';
import { about, actingAs, providerOf, type Room, seal, timestamp } from '../room.ts';
import { endCapture } from '../same-room.ts';
import { halt, withdrawal } from '../stop.ts';
import { applyPlan } from './apply-plan.ts';
import { planLook } from './look-plan.ts';
import { look } from './reconcile.ts';

/**
 * Asks the provider to record what was written down as `starting`. The row comes first: a row without media is noticed, media without a row
 * would be PHI that nobody knows of. An answer makes it `recording`; a refusal that proves that nothing was begun makes it `failed`;
 * after anything else nobody knows, so it stays `starting`, and the provider is asked until it is known.
 *
 * @throws MedzenError the refusal; `provider_unavailable`, retryable (detail: `recordingId`, `state`), when the outcome is not known
 */
export async function beginCapture(room: Room, ctx: CallContext, recording: Recording): Promise<Recording> {
  try {
    const provider = providerOf(room, recording);
    await withDeadline({ ms: room.timeouts.providerMs, code: 'provider_unavailable' }, (signal) =>
      provider.start(recording, signal),
    );
  } catch (error) {
    if (!provesNothingBegan(error)) throw unconfirmed(recording, error);
    await failStart(room, ctx, recording, codeOf(error));
    throw error;
  }
  return stopIfUnwanted(room, ctx, await confirmStart(room, ctx, recording));
}

/**
 * Goes on with a start whose outcome is not known, because its answer was lost or the process died: asks the provider first, and starts
 * again only when nothing runs.
 *
 * @throws MedzenError as `beginCapture`
 */
export async function resumeCapture(room: Room, ctx: CallContext, recording: Recording): Promise<Recording> {
  if (recording.stopRequest !== undefined) return stopIfUnwanted(room, ctx, recording);
  const answer = await look(room, recording).catch((error: unknown) => {
    throw unconfirmed(recording, error);
  });
  const idle = (answer.status === 'none' || answer.status === 'ended') && answer.sessionOpen;
  if (idle || answer.status === 'unknown') return beginCapture(room, ctx, recording);
  const now = await room.stores.recordings.clock();
  return (await applyPlan(room, ctx, recording, planLook(recording, answer, now, 1))).recording;
}

/**
 * A consent was withdrawn while the provider was being told: what stopped it may have come before what started it. The request says so
 * before the state does.
 */
async function stopIfUnwanted(room: Room, ctx: CallContext, recording: Recording): Promise<Recording> {
  if (recording.media !== undefined) return recording;
  if (recording.stopRequest !== undefined && mayStillRun(recording))
    return (await halt(room, actingAs(ctx.scope, 'stop', 'system'), recording, withdrawal(recording))).recording;
  if (!isLive(recording)) await endCapture(room, ctx.scope, recording);
  return recording;
}

/**
 * Makes the error that a caller gets while it is unknown whether the recording runs. The same call with the same id
 * asks again.
 */
function unconfirmed({ id, state }: Recording, cause: unknown): MedzenError {
  return new MedzenError('provider_unavailable', 'The provider has not confirmed the start; retry with the same id', {
    retryable: true,
    cause,
    detail: { recordingId: id, state },
  });
}

/** Moves a recording from `starting` to `recording`, unless it has moved on by itself. */
async function confirmStart(room: Room, ctx: CallContext, recording: Recording): Promise<Recording> {
  const result = await revise(room, ctx.scope, recording, (row) =>
    row.state === 'starting'
      ? {
          change: { to: 'recording', at: timestamp(room) },
          event: seal(room, ctx, {
            action: 'recording.start_confirm',
            kind: 'update',
            outcome: 'success',
            ...about(row),
          }),
        }
      : undefined,
  );
  return result.status === 'not_found' ? recording : result.recording;
}

/** As the contract of `Provider.start` has it. An error that is not ours proves nothing. */
function provesNothingBegan(error: unknown): boolean {
  return isMedzenError(error) && !error.retryable && error.code !== 'internal';
}

async function failStart(room: Room, ctx: CallContext, recording: Recording, code: string): Promise<void> {
  const at = timestamp(room);
  await revise(room, ctx.scope, recording, (row) =>
    row.state === 'starting'
      ? {
          change: { to: 'failed', at, failure: { code, at, attempts: 1 } },
          event: seal(room, ctx, {
            action: 'recording.failed',
            kind: 'update',
            outcome: 'failed',
            ...about(row),
            detail: { code, step: 'start' },
          }),
        }
      : undefined,
  );
}
