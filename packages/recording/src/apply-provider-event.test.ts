import type { Recording } from '@medzen/core';
import { recordingTransitions } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyProviderEvent } from './apply-provider-event.ts';
import type { ProviderEvent } from './provider.ts';

const fresh: Recording = {
  id: '019aa7c4-0000-7000-8000-000000000001',
  sessionId: 's',
  patient: 'p',
  participants: [],
  provider: 'twilio',
  providerRef: 'RM1',
  state: 'recording',
  stateAt: '2026-11-21T15:00:00.000Z',
  startedAt: '2026-11-21T15:00:00.000Z',
  objectPrefix: 't/2026/11/r/',
  retentionClass: { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'America/New_York' },
  holds: 0,
  accessRequests: 0,
  views: 0,
  downloads: 0,
  revision: 0,
};

function event(type: ProviderEvent['type'], minute: number, more: Partial<ProviderEvent> = {}): ProviderEvent {
  const at = `2026-11-21T15:${String(minute).padStart(2, '0')}:00.000Z`;
  return { provider: 'twilio', providerRef: 'RM1', type, key: `${type}:${minute}`, at, ...more };
}

const media = { ref: 'CJ1', contentType: 'video/mp4', size: 10 };
const told: Readonly<Record<string, readonly ProviderEvent[]>> = {
  'a recording that succeeds': [
    event('capture_started', 0),
    event('capture_started', 1),
    event('capture_completed', 5),
    event('capture_completed', 6),
    event('session_ended', 7),
    event('processing', 8),
    event('processing', 9),
    event('media_available', 10, { media, durationSeconds: 5 }),
  ],
  'one whose first track fails and whose media is made all the same': [
    event('capture_started', 0),
    event('capture_failed', 1, { failureCode: 'recording-failed' }),
    event('capture_completed', 2),
    event('session_ended', 3),
    event('processing', 4),
    event('media_available', 5, { media }),
  ],
  'one whose media cannot be made': [
    event('capture_started', 0),
    event('capture_completed', 1),
    event('session_ended', 2),
    event('processing', 3),
    event('media_failed', 4, { failureCode: 'composition-failed' }),
  ],
  'one that fails altogether': [
    event('capture_started', 0),
    event('capture_failed', 1, { failureCode: 'recording-failed' }),
    event('session_ended', 2),
    event('media_failed', 3, { failureCode: 'composition-failed' }),
  ],
};

/** A store in miniature: applies a patch as the SQL function does, and refuses what is not allowed. */
function take(recording: Recording, one: ProviderEvent): Recording {
  const patch = applyProviderEvent(recording, one);
  if (patch === undefined) return recording;
  const { to, failure, ...rest } = patch;
  if (to !== undefined) expect(recordingTransitions[recording.state]).toContain(to);
  const { failure: before, ...others } = recording;
  const kept = failure === undefined ? before : failure === null ? undefined : failure;
  return { ...others, ...rest, state: to ?? recording.state, ...(kept === undefined ? {} : { failure: kept }) };
}

const rank = {
  starting: -1,
  recording: 0,
  failed: 1,
  processing: 1,
  uploading: 2,
  available: 3,
  archived: 3,
  deleting: 4,
  deleted: 5,
};

describe('applyProviderEvent', () => {
  for (const [name, events] of Object.entries(told)) {
    it(`ends ${name} in the same state, in any order and with any repeats`, () => {
      const expected = events.reduce(take, fresh);
      const shuffled = fc
        .array(fc.constantFrom(...events), { maxLength: 10 })
        .chain((repeats) =>
          fc.shuffledSubarray([...events, ...repeats], { minLength: events.length + repeats.length }),
        );
      fc.assert(
        fc.property(shuffled, (order) => {
          expect(order.reduce(take, fresh)).toEqual(expected);
        }),
        { numRuns: 300 },
      );
    });
  }

  it('never moves a recording backwards, whatever comes', () => {
    const any = fc.constantFrom(
      ...Object.values(told).flat(),
      event('media_available', 30, { media: { ...media, ref: 'CJ2' } }),
    );
    fc.assert(
      fc.property(fc.array(any, { maxLength: 30 }), (events) => {
        let recording = fresh;
        for (const one of events) {
          const next = take(recording, one);
          const healed = recording.state === 'failed' && next.state === 'uploading';
          expect(healed || rank[next.state] >= rank[recording.state]).toBe(true);
          if (recording.media !== undefined) expect(next.media).toEqual(recording.media);
          recording = next;
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes the start of a capture from its event, where that is not when it was asked for', () => {
    const asked: Recording = { ...fresh, state: 'starting' };
    expect(applyProviderEvent(asked, event('capture_started', 4))).toEqual({ to: 'recording' });
    const late = event('capture_started', 20);
    expect(applyProviderEvent(asked, late)).toEqual({ to: 'recording', capturedAt: late.at });
    // Somebody who joins later begins another track.
    expect(applyProviderEvent(fresh, late)).toBeUndefined();
  });

  it('leaves what is available, archived, being deleted or deleted as it is', () => {
    for (const state of ['available', 'archived', 'deleting', 'deleted'] as const)
      for (const one of Object.values(told).flat()) {
        const recording: Recording = { ...fresh, state, media, endedAt: '2026-11-21T15:00:30.000Z' };
        expect(applyProviderEvent(recording, one)).toBeUndefined();
      }
  });
});
