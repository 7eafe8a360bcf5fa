import { isLive, type Recording, type RecordingChange } from '@medzen/core';
import { endOf } from './capture/capture-end.ts';
import { isMuchLater } from './capture/store-time.ts';
import type { ProviderEvent } from './provider.ts';

/** Clocks of providers and hosts differ by less. */
const clockSkewMs = 60_000;

/** Changes that an event makes to a recording, without the housekeeping of a change. */
export type ProviderPatch = Pick<
  RecordingChange,
  'to' | 'capturedAt' | 'endedAt' | 'durationSeconds' | 'media' | 'failure'
>;

/**
 * Applies one event of a provider to a recording: a pure function, so that any order of the same events, with any
 * repeats, ends in the same state. A recording only moves forward, and media once known stays: of two media the first
 * is kept (the second is removed with the session's other leftovers). A failed track does not end the recording for
 * good: when media is made all the same, it heals; and so does a start that was believed to have failed, when the
 * capture begins after that.
 *
 * @returns undefined when the event tells nothing new
 */
export function applyProviderEvent(recording: Recording, event: ProviderEvent): ProviderPatch | undefined {
  const { state } = recording;
  if (state === 'deleting' || state === 'deleted') return undefined;
  switch (event.type) {
    case 'capture_started':
      return begins(recording, event)
        ? {
            to: 'recording',
            ...(isMuchLater(event.at, recording) ? { capturedAt: event.at } : {}),
            ...(state === 'failed' ? { failure: null } : {}),
          }
        : undefined;
    case 'capture_completed':
      // One track of several: it tells nothing of the others.
      return undefined;
    case 'capture_failed':
      if (!isLive(recording) && state !== 'processing') return undefined;
      return { to: 'failed', failure: failure(event) };
    case 'session_ended':
    case 'processing':
      return isLive(recording) ? { to: 'processing', ...ended(recording, event) } : later(recording, event);
    case 'media_failed':
      if (recording.media !== undefined) return undefined;
      if (state === 'failed')
        return recording.failure?.code === failure(event).code ? undefined : { failure: failure(event) };
      return { to: 'failed', failure: failure(event) };
    case 'media_available':
      if (event.media === undefined || recording.media !== undefined) return later(recording, event);
      if (!isLive(recording) && state !== 'processing' && state !== 'failed') return later(recording, event);
      return {
        to: 'uploading',
        media: event.media,
        failure: null,
        ...ended(recording, event),
        ...(event.durationSeconds === undefined ? {} : { durationSeconds: event.durationSeconds }),
      };
  }
}

/**
 * True when an event answers a start whose own answer was lost, and does not report an earlier recording in the same
 * session of the provider.
 */
function begins(
  { state, startedAt, endedAt, media, object, failure: failed }: Recording,
  { at }: ProviderEvent,
): boolean {
  if (state === 'starting') return Date.parse(at) >= Date.parse(startedAt) - clockSkewMs;
  if (state !== 'failed' || failed === undefined) return false;
  return (endedAt ?? media ?? object) === undefined && Date.parse(at) > Date.parse(failed.at);
}

/** Media is made after the end: where that was not told, it was at the latest when the making was. */
function ended(recording: Recording, event: ProviderEvent): { readonly endedAt?: string } {
  const at = endOf(recording, event.at);
  return at === recording.endedAt ? {} : { endedAt: at };
}

function later(recording: Recording, event: ProviderEvent): ProviderPatch | undefined {
  const known = ended(recording, event);
  return known.endedAt === undefined ? undefined : known;
}

function failure(event: ProviderEvent): NonNullable<RecordingChange['failure']> {
  return { code: event.failureCode ?? 'provider_failed', at: event.at, attempts: 0 };
}
