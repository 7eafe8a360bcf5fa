import { type AuditFacts, type AuditSource, MedzenError, type Recording, type Scope } from '@medzen/core';
import { applyProviderEvent } from './apply-provider-event.ts';
import { compose } from './compose.ts';
import { discardProviderCopy } from './discard.ts';
import type { ProviderEvent } from './provider.ts';
import type { IngestResult } from './recordings.ts';
import { revise } from './revise.ts';
import { about, actingAs, type Room, seal, timestamp } from './room.ts';
import { waitingInSameRoom } from './same-room.ts';

/** See `Recordings.ingest`. */
export async function ingest(
  room: Room,
  event: ProviderEvent,
  scope: Scope,
  source: AuditSource = {},
): Promise<IngestResult> {
  checkEvent(event);
  const latest = await room.stores.recordings.findByProviderRef(scope, event.provider, event.providerRef);
  if (latest === undefined) return { status: 'unknown' };
  const found = ended(latest) ? ((await waitingInSameRoom(room, scope, latest)) ?? latest) : latest;
  const ctx = { ...actingAs(scope, event.provider, 'service'), source };
  let moved = false;
  const result = await revise(room, scope, found, (recording) => {
    if (ended(recording)) return undefined;
    const patch = applyProviderEvent(recording, event);
    moved = patch !== undefined;
    return {
      // An event that tells nothing new is written down too: it is in the log, and its repeat is known for one.
      change: { ...patch, at: timestamp(room), dedupeKey: event.key },
      event: seal(room, ctx, facts(recording, event, patch?.to)),
    };
  });
  if (result.status !== 'not_found' && isStray(result.recording, event))
    await discardProviderCopy(room, ctx, result.recording, 1);
  switch (result.status) {
    case 'not_found':
      return { status: 'unknown' };
    case 'unchanged':
      return { status: 'ignored', recording: result.recording };
    case 'repeated':
    case 'changed': {
      // A repeat as well: whoever took in the first one may have died before asking.
      const { status, recording } = result;
      const composed = event.type === 'session_ended' ? await compose(room, ctx, recording) : recording;
      return { status: status === 'repeated' ? 'repeated' : moved ? 'applied' : 'noted', recording: composed };
    }
    default:
      // The patch only moves forward and carries no claim, so the store has no ground to refuse it.
      throw new MedzenError('internal', `A provider event was refused: ${result.status}`);
  }
}

/** @throws MedzenError `invalid_input` */
function checkEvent({ key, failureCode = '-', durationSeconds = 0 }: ProviderEvent): void {
  const bounded = (text: string, max: number): boolean => text.length >= 1 && text.length <= max;
  if (!bounded(key, 512) || !bounded(failureCode, 128) || !(durationSeconds >= 0))
    throw new MedzenError('invalid_input', 'Not an event of a provider');
}

function ended({ state }: Recording): boolean {
  return state === 'deleting' || state === 'deleted';
}

/** Media that comes when we have ours already, or have deleted it: a copy that nobody would ever fetch, and that must not stay there. */
function isStray(recording: Recording, event: ProviderEvent): boolean {
  if (event.type !== 'media_available' || event.media === undefined) return false;
  if (ended(recording)) return true;
  return recording.object !== undefined && recording.media?.ref !== event.media.ref;
}

function facts(recording: Recording, event: ProviderEvent, to: Recording['state'] | undefined): AuditFacts {
  const failed = event.type === 'capture_failed' || event.type === 'media_failed';
  return {
    action: to === 'failed' ? 'recording.failed' : 'recording.ingest',
    kind: 'update',
    outcome: failed ? 'failed' : 'success',
    ...about(recording),
    detail: {
      event: event.type,
      at: event.at,
      from: recording.state,
      ...(to === undefined ? {} : { to }),
      ...(event.failureCode === undefined ? {} : { code: event.failureCode }),
    },
  };
}
