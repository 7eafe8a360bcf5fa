import { isLive, type Recording, type Scope } from '@medzen/core';
import { withDeadline } from './deadline.ts';
import { providerOf, type Room } from './room.ts';

/**
 * Another recording of the same session in the same room of the provider that has no media of its own yet: a call is stopped and started
 * again. Providers keep, make and remove media by the room, so what one recording no longer needs may be all that the other has.
 *
 * @returns the newest of them; one that failed waits when its media is known, because a person can have it fetched again, and without
 * media only with `failedToo`
 */
export async function waitingInSameRoom(
  room: Pick<Room, 'stores'>,
  scope: Scope,
  { id, sessionId, provider, providerRef }: Recording,
  options: { readonly failedToo: boolean } = { failedToo: true },
): Promise<Recording | undefined> {
  let cursor: string | undefined;
  do {
    const page = await room.stores.recordings.list(scope, { sessionId, ...(cursor === undefined ? {} : { cursor }) });
    const found = page.recordings.find(
      (other) =>
        other.id !== id &&
        other.provider === provider &&
        other.providerRef === providerRef &&
        other.object === undefined &&
        (options.failedToo || other.state !== 'failed' || other.media !== undefined) &&
        other.state !== 'deleting' &&
        other.state !== 'deleted',
    );
    if (found !== undefined) return found;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return undefined;
}

/**
 * Has the provider end the capture of a recording, unless the room is being recorded for another by now: a provider captures by the room,
 * and that one was started with everybody's consent.
 *
 * @throws MedzenError `provider_unavailable`, `store_unavailable`, `invalid_configuration`
 */
export async function endCapture(room: Room, scope: Scope, recording: Recording, signal?: AbortSignal): Promise<void> {
  const { id, provider, providerRef } = recording;
  const latest = isLive(recording)
    ? undefined
    : await room.stores.recordings.findByProviderRef(scope, provider, providerRef);
  if (latest !== undefined && isLive(latest) && latest.id !== id) return;
  const registered = providerOf(room, recording);
  await withDeadline({ ms: room.timeouts.providerMs, code: 'provider_unavailable', signal }, (within) =>
    registered.stop(recording, within),
  );
}
