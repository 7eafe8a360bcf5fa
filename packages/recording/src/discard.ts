import type { CallContext, Recording } from '@medzen/core';
import { codeOf, persistently } from './backoff.ts';
import { revise } from './revise.ts';
import { about, providerOf, type Room, seal, timestamp } from './room.ts';

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
    await persistently(room, times, () => providerOf(room, recording).discard(recording));
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
      code: codeOf(error),
    });
    return false;
  }
}
