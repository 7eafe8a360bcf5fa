import { type CallContext, isMedzenError, MedzenError, type Recording } from '@medzen/core';
import { refuse, witness } from './audited.ts';
import { hasRole, recordingFor, takesPart } from './authorise.ts';
import { codeOf } from './backoff.ts';
import { revise } from './revise.ts';
import { about, providerOf, type Room, seal, timestamp } from './room.ts';

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
  return running(recording) ? halt(room, ctx, recording) : recording;
}

/** Stops whatever of a session is still being captured: a consent was withdrawn. */
export async function stopSession(room: Room, ctx: CallContext, sessionId: string): Promise<void> {
  let cursor: string | undefined;
  do {
    const page = await room.stores.recordings.list(ctx.scope, {
      sessionId,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const recording of page.recordings) if (running(recording)) await halt(room, ctx, recording);
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** A failed track fails the recording, but others may still be captured. */
function running({ state, endedAt, media }: Recording): boolean {
  return state === 'recording' || (state === 'failed' && endedAt === undefined && media === undefined);
}

/**
 * The provider first: while the row still says `recording`, a crash in between is made good by the next stop, the provider's own callbacks
 * or the sweep. The other way round the row would say that nothing is captured while it is.
 */
async function halt(room: Room, ctx: CallContext, recording: Recording): Promise<Recording> {
  try {
    await providerOf(room, recording).stop(recording);
  } catch (error) {
    const detail = { code: codeOf(error) };
    await witness(room, ctx, [{ ...what, outcome: 'failed', ...about(recording), detail }]);
    throw error;
  }
  const at = timestamp(room);
  const result = await revise(room, ctx.scope, recording, (row) =>
    running(row)
      ? {
          change: {
            ...(row.state === 'recording' ? { to: 'processing' as const } : {}),
            at,
            endedAt: row.endedAt ?? at,
          },
          event: seal(room, ctx, { ...what, outcome: 'success', ...about(row), detail: { from: row.state } }),
        }
      : undefined,
  );
  if (result.status === 'not_found') throw new MedzenError('not_found', 'No such recording');
  return compose(room, ctx, result.recording);
}

/**
 * Asks the provider to make the media, where it must be asked. Called whenever it may be time (stop, end of the session, sweep); a
 * provider that has begun already says so. Being away is no failure: the sweep asks again.
 */
export async function compose(room: Room, ctx: CallContext, recording: Recording): Promise<Recording> {
  const waiting = recording.state === 'processing' || (recording.state === 'failed' && recording.object === undefined);
  if (!waiting || recording.media !== undefined) return recording;
  try {
    await providerOf(room, recording).compose?.(recording);
    return recording;
  } catch (error) {
    room.logger.warn('recording: media could not be asked for', { recording: recording.id, code: codeOf(error) });
    if (!isMedzenError(error) || error.code !== 'not_available' || recording.state !== 'processing') return recording;
    const at = timestamp(room);
    const result = await revise(room, ctx.scope, recording, (row) =>
      row.state === 'processing' && row.media === undefined
        ? {
            change: { to: 'failed', at, failure: { code: 'nothing_captured', at, attempts: 1 } },
            event: seal(room, ctx, {
              action: 'recording.failed',
              kind: 'update',
              outcome: 'failed',
              ...about(row),
              detail: { code: 'nothing_captured', step: 'compose' },
            }),
          }
        : undefined,
    );
    return result.status === 'not_found' ? recording : result.recording;
  }
}
