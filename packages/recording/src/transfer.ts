import {
  type CallContext,
  type Claim,
  errorFields,
  isMedzenError,
  MedzenError,
  type Recording,
  type Scope,
} from '@medzen/core';
import { witness } from './audited.ts';
import { codeOf } from './backoff.ts';
import { notInFuture, tookPlaceAt } from './capture/store-time.ts';
import { checkWhole } from './check-input.ts';
import { type Copied, copyMedia, dropVersion, keepOnly } from './copy-media.ts';
import { copyRemains, discardProviderCopy } from './deletion/discard.ts';
import type { TransferOptions, TransferReport } from './recordings.ts';
import { decide } from './retention/decide.ts';
import { revise } from './revise.ts';
import { about, actingAs, duration, type Room, seal, timestamp } from './room.ts';
import { keepLease } from './transfer/keep-lease.ts';
import { mediaEmpty, mediaExpired, mediaImplausible } from './transfer/media-failures.ts';

/** After so many attempts in a row a person has to look: `retryTransfer`. */
const maxAttempts = 10;
const defaultLeaseMs = 15 * 60_000;

type Outcome =
  | { readonly status: 'available'; readonly recording: Recording; readonly discarded: boolean }
  | { readonly status: 'retrying' | 'failed'; readonly error: unknown; readonly code?: string };

/** See `Recordings.transfer`. */
export async function transfer(room: Room, id: string, scope: Scope): Promise<Recording> {
  const [claim] = await room.stores.recordings.claimTransfers(scope, { id, limit: 1, leaseMs: defaultLeaseMs });
  if (claim !== undefined) {
    const outcome = await carry(room, scope, claim, defaultLeaseMs);
    if (outcome.status === 'available') return outcome.recording;
    throw outcome.error;
  }
  const recording = await room.stores.recordings.get(scope, id);
  if (recording === undefined) throw new MedzenError('not_found', 'No such recording');
  if (recording.state === 'uploading')
    throw new MedzenError('conflict', 'Another worker has it, or it failed a moment ago', { retryable: true });
  throw new MedzenError('invalid_transition', 'The recording is not waiting for a transfer', {
    detail: { state: recording.state },
  });
}

/** See `Recordings.transferDue`. One at a time, so that no lease runs out while another recording is being copied. */
export async function transferDue(room: Room, scope: Scope, options: TransferOptions = {}): Promise<TransferReport> {
  const { limit = 10, leaseMs = defaultLeaseMs, signal } = options;
  checkWhole(limit, 1, 1000, '/limit');
  checkWhole(leaseMs, 1000, 3_600_000, '/leaseMs');
  const report = { available: [], retrying: [], failed: [], notDiscarded: [], bytes: 0 } as Writable<TransferReport>;
  for (let done = 0; done < limit && signal?.aborted !== true; done++) {
    const [claim] = await room.stores.recordings.claimTransfers(scope, { limit: 1, leaseMs });
    if (claim === undefined) break;
    const { id } = claim.recording;
    const outcome = await carry(room, scope, claim, leaseMs, signal);
    if (outcome.status === 'available') {
      report.available.push(id);
      report.bytes += outcome.recording.object?.size ?? 0;
      if (!outcome.discarded) report.notDiscarded.push(id);
    } else if (outcome.status === 'failed') report.failed.push({ id, code: outcome.code ?? codeOf(outcome.error) });
    else report.retrying.push({ id, code: codeOf(outcome.error), attempts: claim.attempts });
  }
  return report;
}

/** A report while it is being filled. */
type Writable<T> = {
  -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K];
};

/** One claimed recording, all the way. Never throws: a failure gives the claim back, or ends it. */
async function carry(room: Room, scope: Scope, claim: Claim, leaseMs: number, signal?: AbortSignal): Promise<Outcome> {
  const lease = keepLease(room, scope, claim, leaseMs, signal);
  const ctx = actingAs(scope, 'transfer', 'system');
  try {
    const copied = await copyMedia(room, claim.recording, lease);
    if (copied.status === 'implausible') return await refuseMedia(room, ctx, claim, copied);
    const recording = await complete(room, ctx, claim, copied);
    lease.end();
    await keepOnly(room, recording, copied.stored.object, lease.signal);
    const { gone: discarded } = await discardProviderCopy(room, ctx, recording, 3, signal);
    await decide(room, scope, recording).catch((error) =>
      room.logger.warn('recording: not decided yet, the sweep will', {
        recording: recording.id,
        ...errorFields(error),
      }),
    );
    const latest = await room.stores.recordings.get(scope, recording.id).catch((error: unknown) => {
      room.logger.warn('recording: it was not read again', { recording: recording.id, ...errorFields(error) });
      return undefined;
    });
    return { status: 'available', recording: latest ?? recording, discarded };
  } catch (error) {
    return giveUp(room, ctx, claim, error, signal);
  } finally {
    lease.end();
  }
}

/** Media that cannot be what was captured ends the transfer, not the provider's copy: a person looks at it (`retryTransfer`). */
async function refuseMedia(
  room: Room,
  ctx: CallContext,
  claim: Claim,
  { why, detail }: Extract<Copied, { status: 'implausible' }>,
): Promise<Outcome> {
  const { id } = claim.recording;
  const failure = why === 'empty' ? mediaEmpty : mediaImplausible;
  const error = new MedzenError('not_available', 'The media is not what was captured; see retryTransfer', {
    detail: { code: failure, why },
  });
  room.logger.error('recording: the media cannot be what was captured', { recording: id, why });
  if (!(await fail(room, ctx, claim, failure, { why, ...detail })))
    throw new MedzenError('lease_lost', 'Another worker took the transfer over');
  return { status: 'failed', error, code: failure };
}

async function complete(
  room: Room,
  ctx: CallContext,
  claim: Claim,
  { stored, wholeness }: Extract<Copied, { status: 'copied' }>,
): Promise<Recording> {
  const { object } = stored;
  await noteTreatment(room, ctx, claim.recording);
  const result = await revise(room, ctx.scope, claim.recording, (row) => {
    const at = timestamp(room);
    return {
      change: {
        to: 'available',
        at,
        ...stored,
        token: claim.token,
        // Until the provider's copy is gone; the sweep looks for this code.
        failure: { code: copyRemains, at, attempts: 0 },
      },
      event: seal(room, ctx, {
        action: 'recording.upload_completed',
        kind: 'update',
        outcome: 'success',
        ...about(row),
        detail: {
          bytes: object.size,
          sha256: object.sha256,
          contentType: object.contentType,
          wholeness,
          ...duration(row),
          ...(object.encryption === undefined ? {} : { encryption: object.encryption }),
        },
      }),
    };
  });
  if (result.status === 'changed') return result.recording;
  const now = result.status === 'not_found' ? undefined : result.recording.object;
  if (now?.versionId !== object.versionId) await dropVersion(room, claim.recording, object);
  throw new MedzenError('lease_lost', 'Another worker took the transfer over');
}

/** The session was a treatment. Noted before the recording is available, so that no crash can lose it; its id makes a retry the same fact. */
async function noteTreatment(room: Room, ctx: CallContext, recording: Recording): Promise<void> {
  const { id, patient, retentionClass } = recording;
  const { zone } = retentionClass;
  const date = room.retention.dayOf(new Date(await notInFuture(room, tookPlaceAt(recording))), zone);
  const note = (factId: string): Promise<unknown> =>
    room.stores.recordings.noteFact(
      ctx.scope,
      { id: factId, patient, type: 'treatment', date, zone },
      seal(room, ctx, {
        action: 'retention.fact',
        kind: 'create',
        outcome: 'success',
        ...about(recording),
        detail: { type: 'treatment', date },
      }),
    );
  try {
    await note(id);
  } catch (error) {
    if (codeOf(error) !== 'conflict') throw error;
    // Somebody gave a fact of theirs this id. That must not leave the media at the provider.
    await note(room.ids.uuid());
  }
}

async function giveUp(
  room: Room,
  ctx: CallContext,
  claim: Claim,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const { id } = claim.recording;
  const code = codeOf(error);
  room.logger.warn('recording: transfer failed', { recording: id, code, attempts: claim.attempts });
  if (code === 'lease_lost') return { status: 'retrying', error };
  const ours = signal?.aborted === true;
  const expired = isMedzenError(error) && error.code === 'not_available';
  const hopeless = !ours && (claim.attempts >= maxAttempts || expired);
  const failure = expired ? mediaExpired : code;
  try {
    if (hopeless && (await fail(room, ctx, claim, failure))) return { status: 'failed', error, code: failure };
    if (!ours)
      await witness(room, ctx, [
        {
          action: 'recording.transfer',
          kind: 'update',
          outcome: 'failed',
          ...about(claim.recording),
          detail: { code, attempts: claim.attempts },
        },
      ]);
    // An operator who stops us is no failure of the recording.
    await room.stores.recordings.releaseClaim(ctx.scope, id, claim.token, ours ? undefined : code);
  } catch (failure) {
    // The store is down as well: the lease ends by itself.
    room.logger.error('recording: a failed transfer could not be noted', { recording: id, ...errorFields(failure) });
  }
  return { status: 'retrying', error };
}

async function fail(
  room: Room,
  ctx: CallContext,
  claim: Claim,
  code: string,
  detail: Readonly<Record<string, string | number>> = {},
): Promise<boolean> {
  const at = timestamp(room);
  const result = await revise(room, ctx.scope, claim.recording, (row) => ({
    change: { to: 'failed', at, token: claim.token, failure: { code, at, attempts: claim.attempts } },
    event: seal(room, ctx, {
      action: 'recording.failed',
      kind: 'update',
      outcome: 'failed',
      ...about(row),
      detail: { code, step: 'transfer', attempts: claim.attempts, ...detail },
    }),
  }));
  return result.status === 'changed';
}
