import { type CallContext, errorFields, MedzenError, type ProviderMedia, type Recording } from '@medzen/core';
import { refuse } from '../audited.ts';
import { hasRole, recordingFor, takesPart } from '../authorise.ts';
import { checkReason } from '../check-input.ts';
import { compose } from '../compose.ts';
import type { RetryOptions } from '../recordings.ts';
import { revise } from '../revise.ts';
import { about, type Room, seal, timestamp } from '../room.ts';
import { mediaImplausible } from '../transfer/media-failures.ts';
import { applyPlan } from './apply-plan.ts';
import { type LookOutcome, planLook } from './look-plan.ts';
import { look } from './reconcile.ts';

const what = { action: 'recording.retry', kind: 'update' } as const;

/** See `Recordings.retryTransfer`. */
export async function retryTransfer(
  room: Room,
  id: string,
  ctx: CallContext,
  options: RetryOptions = {},
): Promise<Recording> {
  const { acceptImplausible } = options;
  if (acceptImplausible !== undefined) checkReason(acceptImplausible);
  const recording = await recordingFor(
    room,
    id,
    ctx,
    what,
    (row) => hasRole(ctx, room.roles.seeAll) || (hasRole(ctx, room.roles.retry) && takesPart(row, ctx)),
  );
  // Twice the same click: it is in the queue already.
  if (recording.state === 'uploading') return recording;
  if (recording.state !== 'failed') return refuseRetry(room, ctx, recording);
  const answer = await ask(room, recording);
  switch (answer.status) {
    case 'media':
      return uploadAgain(room, ctx, recording, answer.media, acceptImplausible);
    case 'unknown':
    case 'unreachable':
    case 'not_configured':
      // What was there when it failed may be there still: the transfer finds out.
      if (recording.media !== undefined) return uploadAgain(room, ctx, recording, recording.media, acceptImplausible);
      return refuseRetry(room, ctx, recording, answer.status);
    case 'ended':
    case 'processing':
    case 'failed':
      return makeAgain(room, ctx, recording, answer.status);
    case 'expired': {
      // Written down, so that its tombstone can say so one day.
      const now = await room.stores.recordings.clock();
      const { recording: row } = await applyPlan(room, ctx, recording, planLook(recording, answer, now, 1));
      return refuseRetry(room, ctx, row, answer.status);
    }
    case 'running': {
      const now = await room.stores.recordings.clock();
      return (await applyPlan(room, ctx, recording, planLook(recording, answer, now, 1))).recording;
    }
    default:
      return refuseRetry(room, ctx, recording, answer.status);
  }
}

async function ask(room: Room, recording: Recording): Promise<LookOutcome> {
  if (!Object.hasOwn(room.providers, recording.provider)) return { status: 'not_configured' };
  try {
    return await look(room, recording);
  } catch (error) {
    room.logger.warn('recording: the provider could not be asked', { recording: recording.id, ...errorFields(error) });
    if (recording.media === undefined) throw error;
    return { status: 'unreachable' };
  }
}

async function uploadAgain(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  found: ProviderMedia,
  acceptImplausible: string | undefined,
): Promise<Recording> {
  const accepts = acceptImplausible !== undefined && recording.failure?.code === mediaImplausible;
  const { acceptedBy: _, ...media } = found;
  return move(room, ctx, recording, {
    change: {
      to: 'uploading',
      failure: null,
      media: accepts ? { ...media, acceptedBy: ctx.actor.id } : media,
    },
    detail: accepts ? { accepted: mediaImplausible } : {},
    ...(accepts ? { reason: acceptImplausible } : {}),
  });
}

/** Makes the media again: its source is there, and the media is not. */
async function makeAgain(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  answered: 'ended' | 'processing' | 'failed',
): Promise<Recording> {
  const makes = room.providers[recording.provider]?.compose !== undefined;
  if (answered === 'failed' && !makes) return refuseRetry(room, ctx, recording, answered);
  const moved = await move(room, ctx, recording, {
    change: { to: 'processing', failure: null },
    detail: { provider: answered },
  });
  return moved.state === 'processing' ? compose(room, ctx, moved) : moved;
}

async function move(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  {
    change,
    detail,
    reason,
  }: {
    readonly change: { to: 'uploading' | 'processing'; failure: null; media?: ProviderMedia };
    readonly detail: Readonly<Record<string, string>>;
    readonly reason?: string;
  },
): Promise<Recording> {
  const result = await revise(room, ctx.scope, recording, (row) =>
    row.state === 'failed'
      ? {
          change: { ...change, at: timestamp(room) },
          event: seal(room, ctx, {
            ...what,
            outcome: 'success',
            ...about(row),
            detail: { from: row.state, to: change.to, ...detail },
            ...(reason === undefined ? {} : { reason }),
          }),
        }
      : undefined,
  );
  if (result.status === 'changed' || result.status === 'unchanged') return result.recording;
  return refuseRetry(room, ctx, recording);
}

function refuseRetry(room: Room, ctx: CallContext, recording: Recording, provider?: string): Promise<never> {
  return refuse(
    room,
    ctx,
    { ...what, outcome: 'failed', ...about(recording) },
    new MedzenError('invalid_transition', 'There is no failed transfer to try again', {
      detail: { state: recording.state, ...(provider === undefined ? {} : { provider }) },
    }),
  );
}
