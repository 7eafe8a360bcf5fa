import { type CallContext, MedzenError, type Recording } from '@medzen/core';
import { compose } from '../compose.ts';
import { revise } from '../revise.ts';
import { about, actingAs, type Room, seal, timestamp } from '../room.ts';
import { endCapture } from '../same-room.ts';
import { halt, withdrawal } from '../stop.ts';
import { actionOf } from './capture-end.ts';
import type { LookChange, LookPlan } from './look-plan.ts';

/**
 * Does what was planned after asking the provider. Each change is made only while the recording is still in the state that was asked about:
 * a callback, a person or another worker may have been quicker, and then its next question finds out.
 *
 * @returns the row as it is then, and whether a capture was told to stop
 * @throws what the stores and the provider throw
 */
export async function applyPlan(
  room: Room,
  ctx: CallContext,
  asked: Recording,
  plan: LookPlan,
  signal?: AbortSignal,
): Promise<{ readonly recording: Recording; readonly stopped: boolean }> {
  let recording = asked;
  for (const change of plan.changes) {
    const result = await applyChange(room, ctx, recording, change);
    if (result === 'overtaken')
      return { recording: (await room.stores.recordings.get(ctx.scope, asked.id)) ?? recording, stopped: false };
    // Another recording of the session is live. In the same session of the provider the capture is that one's; elsewhere it is nobody's.
    if (result === 'not_ours') return haltStray(room, ctx, recording, signal);
    recording = result;
  }
  switch (plan.followUp) {
    case 'stop':
      await endCapture(room, ctx.scope, recording, signal);
      return { recording, stopped: true };
    case 'halt':
      return stopped(await halt(room, actingAs(ctx.scope, 'stop', 'system'), recording, withdrawal(recording)));
    case 'compose':
      return { recording: await compose(room, ctx, recording, signal), stopped: false };
    default:
      // Consent was taken back while the answer was on its way.
      return recording.state === 'recording' && recording.stopRequest !== undefined
        ? stopped(await halt(room, actingAs(ctx.scope, 'stop', 'system'), recording, withdrawal(recording)))
        : { recording, stopped: false };
  }
}

function stopped({ recording }: { readonly recording: Recording }): { recording: Recording; stopped: boolean } {
  return { recording, stopped: true };
}

async function haltStray(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  signal: AbortSignal | undefined,
): Promise<{ readonly recording: Recording; readonly stopped: boolean }> {
  const { provider, providerRef } = recording;
  const latest = await room.stores.recordings.findByProviderRef(ctx.scope, provider, providerRef);
  if (latest !== undefined && latest.id !== recording.id) return { recording, stopped: false };
  await endCapture(room, ctx.scope, recording, signal);
  return { recording, stopped: true };
}

async function applyChange(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  change: LookChange,
): Promise<Recording | 'overtaken' | 'not_ours'> {
  const { id, state } = recording;
  let overtaken = false;
  const result = await revise(room, ctx.scope, recording, (row) => {
    overtaken = row.state !== state || row.media?.ref !== recording.media?.ref;
    if (overtaken) return undefined;
    // The end may have been reported meanwhile.
    const { endedAt, neverCaptured = false, ...others } = change;
    const patch = row.endedAt === undefined && endedAt !== undefined ? { ...others, endedAt } : others;
    const to = patch.to;
    const code = patch.failure?.code;
    return {
      change: { ...patch, at: timestamp(room) },
      event: seal(room, ctx, {
        action: actionFor(row, patch, neverCaptured && isNeverBegun(row)),
        kind: 'update',
        outcome: to === 'failed' ? 'failed' : 'success',
        ...about(row),
        detail: {
          cause: 'provider_asked',
          from: row.state,
          ...(to === undefined ? {} : { to }),
          ...(patch.capturedAt === undefined ? {} : { startedAt: row.startedAt, capturedAt: patch.capturedAt }),
          ...(code === undefined ? {} : { code }),
        },
      }),
    };
  });
  switch (result.status) {
    case 'changed':
      return result.recording;
    case 'unchanged':
      return 'overtaken';
    case 'invalid_transition':
      if (change.to === 'recording') return 'not_ours';
      throw new MedzenError('internal', `A recording could not be reconciled: ${result.status}`);
    default:
      throw new MedzenError('not_found', `No such recording: ${id}`);
  }
}

/** A start that never took place has no end: that nothing was captured is no stop. What was captured did begin, whatever was believed of it. */
function actionFor(
  row: Recording,
  patch: Omit<LookChange, 'neverCaptured'>,
  neverBegun: boolean,
): ReturnType<typeof actionOf> {
  const otherwise = patch.to === 'failed' ? 'recording.failed' : 'recording.reconcile';
  return neverBegun ? otherwise : actionOf(row, patch, otherwise);
}

/** Nobody has said that it began. */
function isNeverBegun({ state, failure }: Recording): boolean {
  if (state === 'starting') return true;
  return failure?.code === 'not_started' || failure?.code === 'not_available' || failure?.code === 'start_unconfirmed';
}
