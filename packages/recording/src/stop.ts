import { type CallContext, isLive, MedzenError, mayStillRun, type Recording } from '@medzen/core';
import { refuse, witness } from './audited.ts';
import { hasRole, recordingFor, takesPart } from './authorise.ts';
import { codeOf } from './backoff.ts';
import { endOf } from './capture/capture-end.ts';
import { storeTime } from './capture/store-time.ts';
import { compose } from './compose.ts';
import { revise } from './revise.ts';
import { about, type Room, seal } from './room.ts';
import { endCapture } from './same-room.ts';

const what = { action: 'recording.stop', kind: 'update' } as const;

/** See `Recordings.stop`. */
export async function stop(room: Room, id: string, ctx: CallContext): Promise<Recording> {
  const recording = await recordingFor(
    room,
    id,
    ctx,
    what,
    (row) => (hasRole(ctx, room.roles.record) && takesPart(row, ctx)) || hasRole(ctx, room.roles.seeAll),
  );
  if (recording.state === 'deleting' || recording.state === 'deleted')
    return refuse(
      room,
      ctx,
      { ...what, outcome: 'failed', ...about(recording) },
      new MedzenError('invalid_transition', 'A deleted recording cannot be stopped', {
        detail: { state: recording.state },
      }),
    );
  return mayStillRun(recording) ? (await halt(room, ctx, recording)).recording : recording;
}

/** Stops whatever of a session is still being captured: a consent was withdrawn. */
export async function stopSession(room: Room, ctx: CallContext, sessionId: string): Promise<void> {
  let cursor: string | undefined;
  do {
    const page = await room.stores.recordings.list(ctx.scope, {
      sessionId,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const recording of page.recordings)
      if (mayStillRun(recording)) await halt(room, ctx, recording, withdrawal(recording));
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/**
 * The provider first: while the row still says `recording`, a crash in between is made good by the next stop, the provider's own callbacks
 * or the sweep. The other way round the row would say that nothing is captured while it is.
 *
 * @param why - for the detail of the events
 * @param token - of the claim under which it is done
 * @param signal - ends it early, with `provider_unavailable`
 * @returns the row, and whether it was this call that ended it
 */
export async function halt(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  why: Readonly<Record<string, string>> = {},
  token?: string,
  signal?: AbortSignal,
): Promise<{ readonly recording: Recording; readonly stopped: boolean }> {
  try {
    await endCapture(room, ctx.scope, recording, signal);
  } catch (error) {
    const detail = { ...why, code: codeOf(error) };
    await witness(room, ctx, [{ ...what, outcome: 'failed', ...about(recording), detail }]);
    throw error;
  }
  const at = await storeTime(room);
  const result = await revise(room, ctx.scope, recording, (row) =>
    mayStillRun(row)
      ? {
          change: {
            ...(isLive(row) ? { to: 'processing' as const } : {}),
            at,
            endedAt: row.endedAt ?? endOf(row, at),
            ...(token === undefined ? {} : { token }),
          },
          event: seal(room, ctx, { ...what, outcome: 'success', ...about(row), detail: { ...why, from: row.state } }),
        }
      : undefined,
  );
  if (result.status === 'not_found') throw new MedzenError('not_found', 'No such recording');
  return { recording: await compose(room, ctx, result.recording, signal), stopped: result.status === 'changed' };
}

/** Builds the reason of a stop after withdrawn consent. */
export function withdrawal({ stopRequest }: Recording): Readonly<Record<string, string>> {
  return { cause: 'consent_withdrawn', ...(stopRequest === undefined ? {} : { consent: stopRequest.consent }) };
}
