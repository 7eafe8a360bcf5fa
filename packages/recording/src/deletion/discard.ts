import { type CallContext, errorFields, type Recording } from '@medzen/core';
import { codeOf, persistently } from '../backoff.ts';
import { withDeadline } from '../deadline.ts';
import type { Provider } from '../provider.ts';
import { revise } from '../revise.ts';
import { about, providerOf, type Room, seal, timestamp } from '../room.ts';
import { waitingInSameRoom } from '../same-room.ts';

/** Stands in `failure.code` of a recording whose media is safe with us while the provider still has its own copy. */
export const copyRemains = 'provider_copy_remains';

/** Reason why a provider cannot be asked to remove a recording's copy. */
export type ProviderObstacle = 'provider_not_configured' | 'provider_account_changed';

/**
 * Looks for what makes a provider's answer worth nothing: with another account it says of everything that it is gone.
 *
 * @returns undefined when the provider can be asked
 */
export function obstacleAt(room: Pick<Room, 'providers'>, recording: Recording): ProviderObstacle | undefined {
  const provider: Provider | undefined = Object.hasOwn(room.providers, recording.provider)
    ? room.providers[recording.provider]
    : undefined;
  if (provider === undefined) return 'provider_not_configured';
  const { providerAccount } = recording;
  return providerAccount !== undefined && provider.account !== undefined && provider.account !== providerAccount
    ? 'provider_account_changed'
    : undefined;
}

/**
 * Has the provider remove its copy, and notes that it did. Never throws, and never touches the recording's state: what fails is left to
 * the next sweep, which finds the recording by its failure code.
 *
 * @param times - attempts in all, ≥ 1
 * @returns whether the copy is gone, and if not, why
 */
export async function discardProviderCopy(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  times: number,
  signal?: AbortSignal,
): Promise<{ readonly gone: true } | { readonly gone: false; readonly code: string }> {
  const obstacle = obstacleAt(room, recording);
  if (obstacle !== undefined) {
    room.logger.warn('recording: the provider cannot be asked', { recording: recording.id, code: obstacle });
    return { gone: false, code: obstacle };
  }
  try {
    // Another recording of the session still waits for what this provider holds of both.
    if ((await waitingInSameRoom(room, ctx.scope, recording, { failedToo: false })) !== undefined)
      return { gone: false, code: 'shared_room' };
    const limit = { ms: room.timeouts.providerMs, code: 'provider_unavailable', signal } as const;
    const provider = providerOf(room, recording);
    const discard = (): Promise<unknown> => withDeadline(limit, (stopping) => provider.discard(recording, stopping));
    await persistently(room, times, discard, signal);
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
    return result.status === 'changed' || result.status === 'unchanged'
      ? { gone: true }
      : { gone: false, code: result.status };
  } catch (error) {
    room.logger.warn('recording: the provider keeps its copy for now', {
      recording: recording.id,
      ...errorFields(error),
    });
    return { gone: false, code: codeOf(error) };
  }
}
