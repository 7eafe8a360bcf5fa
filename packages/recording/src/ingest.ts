import {
  type AuditFacts,
  type AuditSource,
  errorFields,
  MedzenError,
  mayStillRun,
  type Recording,
  type Scope,
} from '@medzen/core';
import { applyProviderEvent, type ProviderPatch } from './apply-provider-event.ts';
import { actionOf } from './capture/capture-end.ts';
import { notInFuture } from './capture/store-time.ts';
import { compose } from './compose.ts';
import { discardProviderCopy } from './deletion/discard.ts';
import type { ProviderEvent } from './provider.ts';
import type { IngestResult } from './recordings.ts';
import { type Revision, revise } from './revise.ts';
import { about, actingAs, type Room, seal, timestamp } from './room.ts';
import { endCapture, waitingInSameRoom } from './same-room.ts';
import { halt, withdrawal } from './stop.ts';

/** See `Recordings.ingest`. */
export async function ingest(
  room: Room,
  given: ProviderEvent,
  scope: Scope,
  source: AuditSource = {},
): Promise<IngestResult> {
  checkEvent(given);
  const event = { ...given, at: await notInFuture(room, given.at) };
  const latest = await room.stores.recordings.findByProviderRef(scope, event.provider, event.providerRef);
  if (latest === undefined) return { status: 'unknown' };
  const found = ended(latest) ? ((await waitingInSameRoom(room, scope, latest)) ?? latest) : latest;
  const ctx = { ...actingAs(scope, event.provider, 'service'), source };
  let moved = false;
  let another = false;
  const compute = (recording: Recording): Revision | undefined => {
    if (ended(recording)) return undefined;
    const patch = another ? undefined : applyProviderEvent(recording, event);
    moved = patch !== undefined;
    return {
      // An event that tells nothing new is written down too: it is in the log, and its repeat is known for one.
      change: { ...patch, at: timestamp(room), dedupeKey: event.key },
      event: seal(room, ctx, facts(recording, event, patch)),
    };
  };
  let result = await revise(room, scope, found, compute);
  // A capture of a recording that was believed failed, while another of the session is live: it is not brought back.
  if (result.status === 'invalid_transition' && event.type === 'capture_started') {
    another = true;
    result = await revise(room, scope, result.recording, compute);
  }
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
      if (event.type === 'capture_started') await stopUnwanted(room, scope, recording, event);
      const composed = event.type === 'session_ended' ? await compose(room, ctx, recording) : recording;
      return { status: status === 'repeated' ? 'repeated' : moved ? 'applied' : 'noted', recording: composed };
    }
    default:
      // The patch only moves forward and carries no claim, so the store has no ground to refuse it.
      throw new MedzenError('internal', `A provider event was refused: ${result.status}`);
  }
}

/**
 * Ends a capture that began although nobody wants it: consent was taken back, or it was stopped, while the start was on its way. Failing at
 * it is no failure of the callback: the request to stop stands, and the next question to the provider shows that it runs.
 */
async function stopUnwanted(room: Room, scope: Scope, recording: Recording, { at }: ProviderEvent): Promise<void> {
  const { endedAt, stopRequest } = recording;
  const after = endedAt !== undefined && recording.object === undefined && Date.parse(at) > Date.parse(endedAt);
  try {
    if (stopRequest !== undefined && mayStillRun(recording))
      await halt(room, actingAs(scope, 'stop', 'system'), recording, withdrawal(recording));
    else if (after) await endCapture(room, scope, recording);
  } catch (error) {
    room.logger.error('recording: it was to be stopped, and it runs', {
      recording: recording.id,
      ...errorFields(error),
    });
  }
}

/** @throws MedzenError `invalid_input` */
function checkEvent({ key, failureCode = '-', durationSeconds = 0 }: ProviderEvent): void {
  const bounded = (text: string, max: number): boolean => text.length >= 1 && text.length <= max;
  if (!bounded(key, 512) || !bounded(failureCode, 128) || !(durationSeconds >= 0))
    throw new MedzenError(
      'invalid_input',
      'Provider event needs key (1 to 512 characters), failureCode of at most 128 characters and durationSeconds ≥ 0',
    );
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

function facts(recording: Recording, event: ProviderEvent, patch: ProviderPatch | undefined): AuditFacts {
  const to = patch?.to;
  const failed = event.type === 'capture_failed' || event.type === 'media_failed';
  return {
    action: to === 'failed' ? 'recording.failed' : actionOf(recording, patch ?? {}, 'recording.ingest'),
    kind: 'update',
    outcome: failed ? 'failed' : 'success',
    ...about(recording),
    detail: {
      event: event.type,
      at: event.at,
      from: recording.state,
      ...(to === undefined ? {} : { to }),
      ...(patch?.capturedAt === undefined ? {} : { startedAt: recording.startedAt, capturedAt: patch.capturedAt }),
      ...(event.failureCode === undefined ? {} : { code: event.failureCode }),
    },
  };
}
