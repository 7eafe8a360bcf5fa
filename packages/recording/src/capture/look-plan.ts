import { isLive, mayStillRun, type Recording, type RecordingChange } from '@medzen/core';
import type { CaptureStatus } from '../provider.ts';
import { mediaExpired } from '../transfer/media-failures.ts';
import { endOf } from './capture-end.ts';
import { capturedAt } from './store-time.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A start that the provider knows nothing of after it did not take place: its request is lost, not late. */
const startLostMs = 2 * minute;
/** Milliseconds after which a provider that could not tell about a start is not expected to tell any more. */
const startUnknownMs = 10 * minute;
const stuckMs = 7 * day;
/** A failed recording without media is asked about for so long: providers keep media for weeks. */
const mendableMs = 30 * day;
/** No capture goes on for so long by intention. */
const longestCaptureMs = 24 * hour;

/** Changes and next steps after the provider was asked about a recording. */
export interface LookPlan {
  /** Applied in this order, each a change of its own: two facts are two events. */
  readonly changes: readonly LookChange[];
  /**
   * After the changes. `stop`: it captures and must not. `halt`: the same, and nobody has said yet that it ended. `compose`: its media is to
   * be made.
   */
  readonly followUp?: 'stop' | 'halt' | 'compose';
  /** When to ask again, seconds; `null`: not before it has moved. */
  readonly againSeconds: number | null;
  /** It runs, or waits, for longer than it should. */
  readonly overdue?: true;
}

/** One change that an answer calls for. */
export type LookChange = Pick<
  RecordingChange,
  'to' | 'capturedAt' | 'endedAt' | 'durationSeconds' | 'media' | 'failure'
> & {
  /** The session is over and nothing was ever captured in it: `endedAt` is the end of no capture. */
  readonly neverCaptured?: true;
};

/** Result of asking: the provider's answer, or the reason why it is missing. */
export type LookOutcome = CaptureStatus | { readonly status: 'unreachable' | 'not_configured' };

/**
 * Plans the next step for a recording from an answer of its provider: pure, so that any order of answers, callbacks and
 * workers can be tried. Silence proves nothing except that a person must check: a recording whose provider could not be
 * asked for a week is `failed`, and is asked about all the same.
 *
 * @param now - by the store's clock
 * @param attempts - questions since the last move, this one included
 */
export function planLook(recording: Recording, outcome: LookOutcome, now: Date, attempts: number): LookPlan {
  const answer = notInFuture(outcome, now);
  const began = isAnswer(answer) && recording.object === undefined ? capturedAt(recording, answer, now) : undefined;
  if (began === undefined) return planAnswer(recording, answer, now, attempts);
  // A fact of its own, before whatever is reckoned from it.
  const plan = planAnswer({ ...recording, capturedAt: began }, answer, now, attempts);
  return { ...plan, changes: [{ capturedAt: began }, ...plan.changes] };
}

function planAnswer(recording: Recording, answer: LookOutcome, now: Date, attempts: number): LookPlan {
  const age = now.getTime() - Date.parse(recording.stateAt);
  const at = now.toISOString();
  const again = { changes: [], againSeconds: usual(recording, age, attempts) } as const;
  switch (answer.status) {
    case 'running':
      return running(recording, age, at, attempts);
    case 'ended':
      // Tracks of an earlier recording in the same session: this start has not taken place.
      if (recording.state === 'starting' && answer.sessionOpen)
        return age < startLostMs ? again : failed(recording, at, 'not_started', undefined, 'never_captured');
      return {
        changes: overAt(recording, answer.sessionOpen ? at : (answer.endedAt ?? at)),
        followUp: 'compose',
        againSeconds: answer.sessionOpen ? Math.max(300, again.againSeconds ?? 300) : again.againSeconds,
      };
    case 'processing':
      return { ...again, changes: overAt(recording, answer.endedAt ?? at) };
    case 'media': {
      if (recording.state === 'uploading')
        return recording.media?.ref === answer.media.ref
          ? { changes: [], againSeconds: day / second, overdue: true }
          : { changes: [{ media: answer.media }], againSeconds: day / second, overdue: true };
      const { media, durationSeconds } = answer;
      const endedAt = endOf(recording, answer.endedAt ?? at);
      return {
        changes: [
          {
            to: 'uploading',
            media,
            failure: null,
            ...(endedAt === recording.endedAt ? {} : { endedAt }),
            ...(durationSeconds === undefined ? {} : { durationSeconds }),
          },
        ],
        againSeconds: null,
      };
    }
    case 'none':
      if (recording.state === 'starting') {
        if (age < startLostMs) return again;
        return failed(
          recording,
          at,
          'not_started',
          answer.sessionOpen ? undefined : (answer.endedAt ?? at),
          'never_captured',
        );
      }
      if (answer.sessionOpen) return { ...again, changes: isLive(recording) ? overAt(recording, at) : [] };
      return failed(recording, at, 'nothing_captured', answer.endedAt ?? at, 'never_captured');
    case 'failed':
      return failed(recording, at, answer.code, answer.endedAt ?? at, 'captured');
    case 'expired':
      return failed(recording, at, mediaExpired, answer.endedAt ?? at, 'captured');
    default:
      return unanswered(recording, answer.status, age, at, again);
  }
}

/** Nothing has ended that is still to come: the provider's clock is ahead of the store's then. */
function notInFuture(outcome: LookOutcome, now: Date): LookOutcome {
  if (!isAnswer(outcome) || outcome.endedAt === undefined) return outcome;
  return Date.parse(outcome.endedAt) > now.getTime() ? { ...outcome, endedAt: now.toISOString() } : outcome;
}

function isAnswer(outcome: LookOutcome): outcome is CaptureStatus {
  return outcome.status !== 'unreachable' && outcome.status !== 'not_configured';
}

function running(recording: Recording, age: number, at: string, attempts: number): LookPlan {
  const { state, endedAt, stopRequest } = recording;
  const soon = Math.min(60 * attempts, 600);
  if (state === 'uploading') return { changes: [], againSeconds: day / second, overdue: true };
  if (!mayStillRun(recording) || endedAt !== undefined) {
    const stuck = state !== 'failed' && age >= stuckMs;
    const failure = { code: 'stuck', at, attempts: 0 };
    return { changes: stuck ? [{ to: 'failed', failure }] : [], followUp: 'stop', againSeconds: soon };
  }
  if (stopRequest !== undefined) return { changes: [], followUp: 'halt', againSeconds: soon };
  // Nobody means to record for a week.
  if (state === 'recording' && age >= stuckMs)
    return { changes: [], followUp: 'halt', againSeconds: soon, overdue: true };
  if (state === 'recording')
    return age > longestCaptureMs
      ? { changes: [], againSeconds: 3600, overdue: true }
      : { changes: [], againSeconds: 600 };
  return { changes: [{ to: 'recording', ...(state === 'failed' ? { failure: null } : {}) }], againSeconds: 600 };
}

/** Notes that the capture has ended. */
function overAt(recording: Recording, at: string): readonly LookChange[] {
  const endedAt = endOf(recording, at);
  const known = endedAt === recording.endedAt ? {} : { endedAt };
  if (isLive(recording)) return [{ to: 'processing', ...known }];
  return recording.endedAt === undefined ? [known] : [];
}

/**
 * There is, and will be, no media.
 *
 * @param over - when the session ended; absent while it goes on, and the capture may still begin
 * @param what - whether the answer says that something had been captured
 */
function failed(
  recording: Recording,
  at: string,
  code: string,
  over: string | undefined,
  what: 'captured' | 'never_captured',
): LookPlan {
  const { state } = recording;
  const failure = { code, at, attempts: 0 };
  const endedAt = over === undefined || recording.endedAt !== undefined ? undefined : endOf(recording, over);
  const known = endedAt === undefined ? {} : { endedAt };
  const never = {
    ...known,
    ...(what === 'captured' || endedAt === undefined ? {} : ({ neverCaptured: true } as const)),
  };
  if (state === 'starting' && what === 'never_captured')
    return { changes: [{ to: 'failed', failure, ...never }], againSeconds: null };
  // It ran, as far as anybody knew: its end is a fact of its own.
  if (isLive(recording))
    return {
      changes: [
        { to: 'processing', endedAt: endedAt ?? at },
        { to: 'failed', failure },
      ],
      againSeconds: null,
    };
  if (state === 'failed') {
    const news = recording.failure?.code === code || neverBegan(recording) ? {} : { failure };
    return {
      changes: endedAt === undefined && !('failure' in news) ? [] : [{ ...never, ...news }],
      againSeconds: null,
    };
  }
  return { changes: [{ to: 'failed', failure, ...known }], againSeconds: null };
}

/** Failed at the start: that nothing was captured is no other failure. */
function neverBegan({ failure }: Recording): boolean {
  return failure?.code === 'not_started' || failure?.code === 'not_available';
}

function unanswered(
  recording: Recording,
  status: 'unknown' | 'unreachable' | 'not_configured',
  age: number,
  at: string,
  again: LookPlan,
): LookPlan {
  const { state } = recording;
  const wait = status === 'not_configured' ? { ...again, againSeconds: day / second } : again;
  if (state === 'failed') return wait;
  if (state === 'starting' && status === 'unknown' && age >= startUnknownMs)
    return { changes: [{ to: 'failed', failure: { code: 'start_unconfirmed', at, attempts: 0 } }], againSeconds: null };
  if (age < stuckMs) return wait;
  const code = status === 'not_configured' ? 'provider_not_configured' : 'stuck';
  return { changes: [{ to: 'failed', failure: { code, at, attempts: 0 } }], againSeconds: null };
}

/** Milliseconds until the next question when the last one brought no news. */
function usual({ state }: Recording, age: number, attempts: number): number | null {
  switch (state) {
    case 'starting':
      return 60;
    case 'recording':
      return 600;
    case 'processing':
      return age < hour ? Math.min(60 * attempts, 300) : 900;
    case 'failed':
      if (age > mendableMs) return null;
      return age < hour ? 300 : age < day ? 3600 : day / second;
    default:
      return day / second;
  }
}
