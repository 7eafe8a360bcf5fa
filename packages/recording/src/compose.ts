import { type CallContext, errorFields, isMedzenError, type Recording } from '@medzen/core';
import { withDeadline } from './deadline.ts';
import type { Provider } from './provider.ts';
import { revise } from './revise.ts';
import { about, type Room, seal, timestamp } from './room.ts';

/** Within it only one process asks. */
const turnMs = 10 * 60_000;

/**
 * Asks the provider to make the media, where it must be asked. Called whenever it may be time (stop; the end of the session, however often
 * it is told; the sweep). Two that asked at once would have two media made, so whoever asks first says so in the row, and the others leave
 * it to them for a while. Being away is no failure: the sweep asks again.
 */
export async function compose(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  signal?: AbortSignal,
): Promise<Recording> {
  const waiting = recording.state === 'processing' || (recording.state === 'failed' && recording.object === undefined);
  const order = provider(room, recording)?.compose;
  if (!waiting || recording.media !== undefined || order === undefined) return recording;
  try {
    await withDeadline({ ms: room.timeouts.providerMs, code: 'provider_unavailable', signal }, (within) =>
      order(recording, { tenant: ctx.scope.tenant, mayBegin: () => takeTurn(room, ctx, recording) }, within),
    );
    return recording;
  } catch (error) {
    room.logger.warn('recording: media could not be asked for', { recording: recording.id, ...errorFields(error) });
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

async function takeTurn(room: Room, ctx: CallContext, recording: Recording): Promise<boolean> {
  const turn = Math.floor(room.clock.now().getTime() / turnMs);
  const result = await revise(room, ctx.scope, recording, (row) => ({
    change: { at: timestamp(room), dedupeKey: `compose:${row.id}:${turn}` },
    event: seal(room, ctx, { action: 'recording.compose', kind: 'execute', outcome: 'success', ...about(row) }),
  }));
  return result.status === 'changed';
}

function provider(room: Room, recording: Recording): Provider | undefined {
  return Object.hasOwn(room.providers, recording.provider) ? room.providers[recording.provider] : undefined;
}
