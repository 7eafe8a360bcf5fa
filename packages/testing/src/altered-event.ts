import { canonicalize, openEvent, type SealedEvent } from '@medzen/core';

/**
 * The same event with some members changed, under the same id: what someone would send who wants to replace it.
 *
 * @param change - `undefined` removes a member
 */
export function alteredEvent(event: SealedEvent, change: Readonly<Record<string, unknown>>): SealedEvent {
  return { id: event.id, body: new TextEncoder().encode(canonicalize({ ...openEvent(event.body), ...change })) };
}
