import type { Recording } from '@medzen/core';
import type { CaptureStatus, CaptureTimes } from '../provider.ts';
import type { TwilioApi } from './twilio-api.ts';
import { isSid } from './twilio-events.ts';

/** So many compositions of one room that failed are not bad luck: another would fail too. */
const hopelessCompositions = 3;

type Item = Readonly<Record<string, unknown>>;

/**
 * Asks Twilio for the room, its recording rules, its tracks and its compositions. A room in progress is captured while its rules include
 * anything or a track is still being written; after that, tracks and compositions decide.
 *
 * @param room - the room's SID
 * @param contentType - of a composition's format
 * @see https://www.twilio.com/docs/video/api/rooms-resource
 * @see https://www.twilio.com/docs/video/api/recordings-resource
 * @see https://www.twilio.com/docs/video/api/compositions-resource
 */
export async function lookAtRoom(
  api: TwilioApi,
  room: string,
  recording: Pick<Recording, 'media'>,
  contentType: (format: unknown) => string,
  signal?: AbortSignal,
): Promise<CaptureStatus> {
  const found = await api.read(`/v1/Rooms/${room}`, signal);
  if (found === undefined) return { status: 'unknown' };
  const times = timesOf(found);
  const open = found.status !== 'completed';
  const tracks = await api.all('/v1/Recordings', { GroupingSid: room }, 'recordings', signal);
  if (open) {
    const writing = tracks.some(({ status }) => status === 'processing');
    if (writing || (await rulesInclude(api, room, signal))) return { status: 'running', ...times };
    return { status: tracks.length === 0 ? 'none' : 'ended', sessionOpen: true, ...times };
  }
  const compositions = await api.all('/v1/Compositions', { RoomSid: room }, 'compositions', signal);
  return { ...ofEndedRoom(tracks, compositions, recording, contentType), ...times };
}

function ofEndedRoom(
  tracks: readonly Item[],
  compositions: readonly Item[],
  recording: Pick<Recording, 'media'>,
  contentType: (format: unknown) => string,
): CaptureStatus {
  const having = (items: readonly Item[], ...states: readonly string[]): readonly Item[] =>
    items.filter(({ status }) => states.includes(String(status)));
  const media = having(compositions, 'completed');
  // The one that is known already, or else the first: another process may have had a second one made.
  const made = media.find(({ sid }) => sid === recording.media?.ref) ?? oldest(media);
  if (made !== undefined && isSid(made.sid)) {
    const size = whole(made.size);
    const durationSeconds = whole(made.duration);
    return {
      status: 'media',
      media: { ref: made.sid, contentType: contentType(made.format), ...(size === undefined ? {} : { size }) },
      ...(durationSeconds === undefined ? {} : { durationSeconds }),
    };
  }
  if (having(compositions, 'enqueued', 'processing').length > 0) return { status: 'processing' };
  if (having(tracks, 'processing').length > 0) return { status: 'processing' };
  if (having(tracks, 'completed').length > 0)
    return having(compositions, 'failed').length >= hopelessCompositions
      ? { status: 'failed', code: 'composition_failed' }
      : { status: 'ended', sessionOpen: false };
  if (having([...tracks, ...compositions], 'deleted').length > 0) return { status: 'expired' };
  if (tracks.length === 0) return { status: 'none', sessionOpen: false };
  return having(tracks, 'failed').length === tracks.length
    ? { status: 'failed', code: 'tracks_failed' }
    : { status: 'unknown' };
}

async function rulesInclude(api: TwilioApi, room: string, signal?: AbortSignal): Promise<boolean> {
  const found = await api.read(`/v1/Rooms/${room}/RecordingRules`, signal);
  const rules = found?.rules;
  // What is not understood may capture.
  if (!Array.isArray(rules)) return true;
  return rules.some((rule) => !(rule instanceof Object && 'type' in rule && rule.type === 'exclude'));
}

function timesOf({ date_created, end_time }: Item): CaptureTimes {
  const [startedAt, endedAt] = [instant(date_created), instant(end_time)];
  return { ...(startedAt === undefined ? {} : { startedAt }), ...(endedAt === undefined ? {} : { endedAt }) };
}

function instant(value: unknown): string | undefined {
  const at = typeof value === 'string' ? new Date(value) : undefined;
  return at === undefined || Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}

function oldest(items: readonly Item[]): Item | undefined {
  return items.toSorted((a, b) => (instant(a.date_created) ?? '').localeCompare(instant(b.date_created) ?? ''))[0];
}

function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/**
 * Seconds during which at least one track of a room was captured: a composition leaves out the gaps between them, and is as long.
 *
 * @returns undefined where Twilio does not say for every track that can be used
 */
export function secondsCaptured(tracks: readonly Item[]): number | undefined {
  const spans: (readonly [from: number, to: number])[] = [];
  for (const { status, offset, duration } of tracks) {
    if (status !== 'completed') continue;
    const [from, length] = [whole(offset), whole(duration)];
    if (from === undefined || length === undefined) return undefined;
    spans.push([from / 1000, from / 1000 + length]);
  }
  if (spans.length === 0) return undefined;
  let [seconds, end] = [0, Number.NEGATIVE_INFINITY];
  for (const [from, to] of spans.toSorted(([a], [b]) => a - b)) {
    seconds += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return Math.round(seconds);
}
