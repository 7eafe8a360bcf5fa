import type { Recording } from '@medzen/core';
import type { MediaFacts } from './media-reader.ts';

/** Shortest media that is accepted as the captured media. */
export interface PlausibilityOptions {
  /** Share of the length that the provider says it captured, 0–1; 0.9 when absent. */
  readonly minCapturedShare?: number;
  /**
   * Share of the time from start to end, where the provider does not say what it captured, 0–1; 0.5 when absent. 0
   * turns the check off.
   */
  readonly minSessionShare?: number;
}

/** Reason why media cannot be the captured media. */
export type Implausible = 'empty' | 'not_media' | 'truncated' | 'too_short';

/** Seconds that whole numbers and the ends of tracks differ by. */
const slackSeconds = 5;
/** The beginning and end of a session are no media: seconds. */
const sessionSlackSeconds = 60;

/**
 * Checks that media is as long as the capture. What is not known is not held against it: a length nobody states, a
 * capture nobody measured.
 *
 * @param said - what the provider says: how long this media plays, how long it captured
 * @returns why not; undefined when it may be
 */
export function tooShort(
  recording: Pick<Recording, 'startedAt' | 'capturedAt' | 'endedAt' | 'durationSeconds'>,
  facts: Pick<MediaFacts, 'seconds'>,
  said: { readonly durationSeconds?: number | undefined; readonly capturedSeconds?: number | undefined },
  { minCapturedShare = 0.9, minSessionShare = 0.5 }: PlausibilityOptions,
): 'too_short' | undefined {
  const stated = said.durationSeconds ?? recording.durationSeconds;
  const seconds = facts.seconds ?? stated;
  if (seconds === undefined) return undefined;
  const below = (whole: number | undefined, share: number, slack: number): boolean =>
    whole !== undefined && seconds < whole * share - slack;
  const session =
    said.capturedSeconds !== undefined || recording.endedAt === undefined
      ? undefined
      : (Date.parse(recording.endedAt) - Date.parse(recording.capturedAt ?? recording.startedAt)) / 1000;
  const short =
    below(stated, minCapturedShare, slackSeconds) ||
    below(said.capturedSeconds, minCapturedShare, slackSeconds) ||
    below(session, minSessionShare, sessionSlackSeconds);
  return short ? 'too_short' : undefined;
}
