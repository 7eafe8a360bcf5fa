import { isLive, type Recording, type RecordingChange } from '@medzen/core';
import type { ProviderEvent } from './provider.ts';

/** Clocks of providers and hosts differ by less. */
const clockSkewMs = 60_000;

/** What an event changes of a recording, without the housekeeping of a change. */
export type ProviderPatch = Pick<RecordingChange, 'to' | 'endedAt' | 'durationSeconds' | 'media' | 'failure'>;

/**
 * What one event of a provider changes of a recording: a pure function, so that any order of the same events, with any repeats, ends in
 * the same state. A recording only moves forward, and media once known stays: of two media the first is kept (the second is removed with
 * the session's other leavings). A failed track does not end the recording for good: when media is made all the same, it heals.
 *
 * @returns undefined when the event tells nothing new
 */
export function applyProviderEvent(recording: Recording, event: ProviderEvent): ProviderPatch | undefined {
  const { state } = recording;
  if (state === 'deleting' || state === 'deleted') return undefined;
  switch (event.type) {
    case 'capture_started':
      // The answer to a start that we never got; unless it tells of an earlier recording in the same session of the provider.
      return state === 'starting' && Date.parse(event.at) >= Date.parse(recording.startedAt) - clockSkewMs
        ? { to: 'recording' }
        : undefined;
    case 'capture_completed':
      // One track of several: it tells nothing of the others.
      return undefined;
    case 'capture_failed':
      if (!isLive(recording) && state !== 'processing') return undefined;
      return { to: 'failed', failure: failure(event) };
    case 'session_ended': {
      const ended = earliest(recording.endedAt, event.at);
      const known = ended === recording.endedAt ? {} : { endedAt: ended };
      if (isLive(recording)) return { to: 'processing', ...known };
      return 'endedAt' in known ? known : undefined;
    }
    case 'processing':
      return isLive(recording) ? { to: 'processing' } : undefined;
    case 'media_failed':
      if (recording.media !== undefined) return undefined;
      if (state === 'failed')
        return recording.failure?.code === failure(event).code ? undefined : { failure: failure(event) };
      return { to: 'failed', failure: failure(event) };
    case 'media_available':
      if (event.media === undefined || recording.media !== undefined) return undefined;
      if (!isLive(recording) && state !== 'processing' && state !== 'failed') return undefined;
      return {
        to: 'uploading',
        media: event.media,
        failure: null,
        ...(event.durationSeconds === undefined ? {} : { durationSeconds: event.durationSeconds }),
      };
  }
}

function failure(event: ProviderEvent): NonNullable<RecordingChange['failure']> {
  return { code: event.failureCode ?? 'provider_failed', at: event.at, attempts: 0 };
}

function earliest(a: string | undefined, b: string): string {
  return a === undefined || Date.parse(b) < Date.parse(a) ? b : a;
}
