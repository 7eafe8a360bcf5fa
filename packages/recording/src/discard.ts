import { type CallContext, errorFields, type Recording } from '@medzen/core';
import { persistently } from './backoff.ts';
import { withDeadline } from './deadline.ts';
import { revise } from './revise.ts';
import { about, providerOf, type Room, seal, timestamp } from './room.ts';
import { waitingInSameRoom } from './same-room.ts';

/** Stands in `failure.code` of a recording whose media is safe with us while the provider still has its own copy. */
export const copyRemains = 'provider_copy_remains';

/**
 * Has the provider remove its copy, and notes that it did. Never throws, and never touches the recording's state: what fails is left to
 * the next sweep, which finds the recording by its failure code.
 *
 * @param times - attempts in all, ≥ 1
 * @returns whether the copy is gone
 */
export async function discardProviderCopy(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  times: number,
): Promise<boolean> {
  try {
    // Another recording of the session still waits for what this provider holds of both.
    if ((await waitingInSameRoom(room, ctx.scope, recording, { failedToo: false })) !== undefined) return false;
    const provider = providerOf(room, recording);
    await persistently(room, times, () =>
      withDeadline({ ms: room.timeouts.providerMs, code: 'provider_unavailable' }, (signal) =>
        provider.discard(recording, signal),
      ),
    );
    const result = await revise(room, ctx.scope, recording, (row) =>
      row.failure?.code === copyRemains
        ? {
            change: { at: timestamp(room), failure: null },
            event: seal(room, ctx, {
              action: 'recording.provider_delete',
              kind: 'delete',
              outcome: 'success',
              ...about(row),
              detail: { provider: row.provider },
            }),
          }
        : undefined,
    );
    return result.status === 'changed' || result.status === 'unchanged';
  } catch (error) {
    room.logger.warn('recording: the provider keeps its copy for now', {
      recording: recording.id,
      ...errorFields(error),
    });
    return false;
  }
}
