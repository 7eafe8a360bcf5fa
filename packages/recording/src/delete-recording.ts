import { type CallContext, type Claim, errorFields, MedzenError, type Recording } from '@medzen/core';
import { refuse } from './audited.ts';
import { hasRole, recordingFor } from './authorise.ts';
import { codeOf } from './backoff.ts';
import { nothingCaptured } from './capture/nothing-captured.ts';
import { checkReason } from './check-input.ts';
import { deleteClaimed } from './delete-claimed.ts';
import { decide } from './retention/decide.ts';
import type { RetentionDecision } from './retention/decision.ts';
import { about, type Room, seal, timestamp } from './room.ts';
import { checkClock } from './sweep/check-clock.ts';

const what = { action: 'recording.delete', kind: 'delete' } as const;
const leaseMs = 5 * 60_000;

/** See `Recordings.delete`. */
export async function deleteRecording(
  room: Room,
  id: string,
  request: { readonly reason: string },
  ctx: CallContext,
): Promise<Recording> {
  checkReason(request.reason);
  const recording = await recordingFor(room, id, ctx, what, () => hasRole(ctx, room.roles.delete));
  const asked = { ...what, ...about(recording), reason: request.reason };
  if (recording.state === 'deleted')
    return refuse(room, ctx, { ...asked, outcome: 'failed' }, new MedzenError('gone', 'It was deleted before'));
  const now = await checkClock(room, room.clock.now());
  const empty =
    recording.state === 'failed' && recording.object === undefined && recording.media === undefined
      ? await nothingCaptured(room, ctx, recording)
      : undefined;
  if (empty !== undefined && empty.verdict !== 'kept') await endEmpty(room, ctx, empty.recording, request.reason);
  else if (recording.state !== 'deleting') {
    const { decision, recording: row } = await decide(room, ctx.scope, empty?.recording ?? recording, now);
    if (decision.status !== 'eligible') return refuse(room, ctx, asked, refusal(decision));
    if (row.deletableAt === undefined || Date.parse(row.deletableAt) > now.getTime())
      return refuse(room, ctx, asked, refusal({ ...decision, status: 'warn' }, row));
  }
  const claim = await claimOne(room, ctx, id, now);
  return finish(room, ctx, claim, now, request.reason, asked);
}

/**
 * Nothing was ever stored, so there is no record to keep: a person who has looked into it may end it. A hold still stands in the way, and
 * the store checks it.
 */
async function endEmpty(room: Room, ctx: CallContext, recording: Recording, reason: string): Promise<void> {
  const event = seal(room, ctx, {
    action: 'recording.delete_start',
    kind: 'update',
    outcome: 'success',
    ...about(recording),
    reason,
  });
  const change = { to: 'deleting', at: timestamp(room), expectedRevision: recording.revision } as const;
  const result = await room.stores.recordings.change(ctx.scope, recording.id, change, event);
  if (result.status === 'changed') return;
  if (recording.holds > 0)
    await refuse(room, ctx, { ...what, ...about(recording), reason }, new MedzenError('held', 'A legal hold stands'));
  throw new MedzenError('conflict', 'The recording is being changed by others', { retryable: true });
}

async function claimOne(room: Room, ctx: CallContext, id: string, now: Date): Promise<Claim> {
  const options = { id, limit: 1, leaseMs };
  const [claim] = await room.stores.recordings.claimExpired(ctx.scope, now, room.retention.rulesVersion, options);
  if (claim === undefined)
    throw new MedzenError('conflict', 'Another worker has it, or it failed a moment ago', { retryable: true });
  return claim;
}

async function finish(
  room: Room,
  ctx: CallContext,
  claim: Claim,
  now: Date,
  reason: string,
  asked: Parameters<typeof refuse>[2],
): Promise<Recording> {
  const { id } = claim.recording;
  try {
    const result = await deleteClaimed(room, ctx, claim, now, reason);
    if (result.status === 'deleted') return result.recording;
    if (result.reason === 'held') return refuse(room, ctx, asked, new MedzenError('held', 'A legal hold stands'));
  } catch (error) {
    room.logger.warn('recording: a deletion was not finished, the sweep goes on', {
      recording: id,
      ...errorFields(error),
    });
    await room.stores.recordings
      .releaseClaim(ctx.scope, id, claim.token, codeOf(error))
      .catch((failure: unknown) =>
        room.logger.warn('recording: a claim was not given back, and ends by itself', errorFields(failure)),
      );
    if ((await room.stores.recordings.get(ctx.scope, id))?.state !== 'deleting') throw error;
  }
  const left = await room.stores.recordings.get(ctx.scope, id);
  if (left?.state === 'deleting' || left?.state === 'deleted') return left;
  throw new MedzenError('conflict', 'Something came in between', { retryable: true });
}

/** @param row - of which nobody was warned in time, though the grace has ended */
function refusal(decision: RetentionDecision, row?: Recording): MedzenError {
  const { status, retainUntil, graceUntil, basis, explanation } = decision;
  const detail = {
    status,
    ...(retainUntil === undefined ? {} : { retainUntil }),
    ...(graceUntil === undefined ? {} : { graceUntil }),
    ruleIds: basis.map(({ ruleId }) => ruleId),
    citations: basis.map(({ citation }) => citation),
    ...(row?.deletableAt === undefined ? {} : { deletableAt: row.deletableAt }),
    explanation: row === undefined ? explanation : `${explanation} ${notice(row)}`,
  };
  return status === 'held'
    ? new MedzenError('held', 'A legal hold or an open claim stands', { detail })
    : new MedzenError('retention_active', 'The duty to keep it, the grace after it, or the notice, has not ended', {
        detail,
      });
}

function notice({ deletableAt }: Recording): string {
  return deletableAt === undefined
    ? 'Nobody was warned of that yet; the sweep does it, and the notice runs from then.'
    : `The warning of it went out late: nothing is deleted before ${deletableAt}.`;
}
