import { type CallContext, type Claim, errorFields, MedzenError, type Recording } from '@medzen/core';
import { refuse } from '../audited.ts';
import { hasRole, recordingFor } from '../authorise.ts';
import { codeOf } from '../backoff.ts';
import { type EmptyVerdict, nothingCaptured } from '../capture/nothing-captured.ts';
import { checkReason } from '../check-input.ts';
import type { DeleteRequest } from '../recordings.ts';
import { decide } from '../retention/decide.ts';
import type { RetentionDecision } from '../retention/decision.ts';
import { about, type Room, seal, timestamp } from '../room.ts';
import { checkClock } from '../sweep/check-clock.ts';
import { mediaExpired } from '../transfer/media-failures.ts';
import { type DeleteResult, deleteClaimed } from './delete-claimed.ts';

const what = { action: 'recording.delete', kind: 'delete' } as const;
const leaseMs = 5 * 60_000;

/** See `Recordings.delete`. */
export async function deleteRecording(
  room: Room,
  id: string,
  request: DeleteRequest,
  ctx: CallContext,
): Promise<Recording> {
  checkReason(request.reason);
  if (request.mediaMissing !== undefined && request.mediaMissing !== 'accept')
    throw new MedzenError('invalid_input', "mediaMissing must be 'accept' or absent", { pointers: ['/mediaMissing'] });
  const recording = await recordingFor(room, id, ctx, what, () => hasRole(ctx, room.roles.delete));
  const asked = { ...what, ...about(recording), reason: request.reason };
  if (recording.state === 'deleted')
    return refuse(
      room,
      ctx,
      { ...asked, outcome: 'failed' },
      new MedzenError('gone', 'The recording is already deleted'),
    );
  const now = await checkClock(room, room.clock.now());
  const empty =
    recording.state === 'failed' && recording.object === undefined && recording.media === undefined
      ? await nothingCaptured(room, ctx, recording)
      : undefined;
  if (empty !== undefined && empty.verdict !== 'kept') await endEmpty(room, ctx, empty, request.reason);
  else if (recording.state !== 'deleting') {
    const { decision, recording: row } = await decide(room, ctx.scope, empty?.recording ?? recording, now);
    if (row.accessRequests > 0) return refuse(room, ctx, asked, accessRequested());
    if (decision.status !== 'eligible') return refuse(room, ctx, asked, refusal(decision));
    if (row.deletableAt === undefined || Date.parse(row.deletableAt) > now.getTime())
      return refuse(room, ctx, asked, refusal({ ...decision, status: 'warn' }, row));
  }
  const claim = await claimOne(room, ctx, id, now);
  return finish(room, ctx, claim, now, request, asked);
}

function accessRequested(): MedzenError {
  return new MedzenError('held', 'An access request is open; close it first', {
    detail: { reason: 'access_requested' },
  });
}

/**
 * Nothing was ever stored, so there is no record to keep: a person who has looked into it may end it. A hold still stands in the way, and
 * the store checks it.
 */
async function endEmpty(
  room: Room,
  ctx: CallContext,
  { recording, verdict }: EmptyVerdict,
  reason: string,
): Promise<void> {
  const at = timestamp(room);
  const expired = verdict === 'expired';
  const event = seal(room, ctx, {
    action: 'recording.delete_start',
    kind: 'update',
    outcome: 'success',
    ...about(recording),
    reason,
    ...(expired ? { detail: { code: mediaExpired } } : {}),
  });
  const change = {
    to: 'deleting',
    at,
    // Kept in the row, so that the tombstone says it, no matter which worker finishes the deletion.
    ...(expired ? { failure: { code: mediaExpired, at, attempts: 0 } } : {}),
    expectedRevision: recording.revision,
    deletion: { by: ctx.actor.id, reason },
  } as const;
  const result = await room.stores.recordings.change(ctx.scope, recording.id, change, event);
  if (result.status === 'changed') return;
  if (recording.holds > 0)
    await refuse(room, ctx, { ...what, ...about(recording), reason }, new MedzenError('held', 'A legal hold stands'));
  if (recording.accessRequests > 0)
    await refuse(room, ctx, { ...what, ...about(recording), reason }, accessRequested());
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
  request: DeleteRequest,
  asked: Parameters<typeof refuse>[2],
): Promise<Recording> {
  const { id } = claim.recording;
  const options = { now, reason: request.reason, leaseMs, acceptMissing: request.mediaMissing === 'accept' };
  let result: DeleteResult | undefined;
  try {
    result = await deleteClaimed(room, ctx, claim, options);
    if (result.status === 'deleted') return result.recording;
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
  const refused = result === undefined ? undefined : deferral(result);
  if (refused !== undefined) return refuse(room, ctx, asked, refused);
  throw new MedzenError('conflict', 'The recording changed during deletion; retry', { retryable: true });
}

/** Makes the error that a person gets for a deletion that did nothing; undefined when asking again may help. */
function deferral(result: DeleteResult): MedzenError | undefined {
  if (result.status === 'deleted') return undefined;
  const { reason, lockedUntil } = result;
  const detail = { reason, ...(lockedUntil === undefined ? {} : { lockedUntil }) };
  switch (reason) {
    case 'held':
      return new MedzenError('held', 'A legal hold or an open claim stands', { detail });
    case 'access_requested':
      return accessRequested();
    case 'locked':
      return new MedzenError('held', 'The object store does not delete it now: lift its lock, or wait', { detail });
    case 'media_missing':
      return new MedzenError(
        'not_available',
        "The media is not where the recording says it lies; find it, or delete with mediaMissing: 'accept'",
        { detail },
      );
    case 'media_found':
      return new MedzenError(
        'invalid_transition',
        'The recording has stored objects; retry the transfer, or remove them',
        {
          detail,
        },
      );
    case 'store_not_configured':
    case 'provider_not_configured':
    case 'provider_account_changed':
      return new MedzenError('invalid_configuration', 'The store or the provider of the recording is not configured', {
        detail,
      });
    default:
      return undefined;
  }
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
    ? 'The warning is still to come: the sweep gives it, and the notice runs from then.'
    : `The warning of it went out late: nothing is deleted before ${deletableAt}.`;
}
