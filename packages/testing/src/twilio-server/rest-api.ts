import type { TwilioComposition, TwilioRoom, TwilioTrackRecording, TwilioWorld } from './world.ts';

/** A request to the API, its credentials checked. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: string;
}

/** An answer. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const notFound: ApiAnswer = {
  status: 404,
  body: { code: 20404, status: 404, message: 'The requested resource was not found' },
};

function bad(message: string): ApiAnswer {
  return { status: 400, body: { code: 53000, status: 400, message } };
}

/**
 * The part of Twilio Video's REST API that a recording needs, strictly: forms only, known fields only, and no composition of a room that
 * goes on.
 *
 * @param mediaLocation - where the media of a composition is, for so many seconds
 */
export function answerApi(
  world: TwilioWorld,
  request: ApiRequest,
  mediaLocation: (sid: string, ttl: number) => string,
): ApiAnswer {
  const { method, path, query } = request;
  const [, version, collection, sid, sub, ...more] = path.split('/');
  if (version !== 'v1' || more.length > 0) return notFound;
  const form = new URLSearchParams(request.body);
  if (method === 'POST' && !request.contentType.startsWith('application/x-www-form-urlencoded'))
    return { status: 415, body: { message: 'Twilio takes forms' } };
  switch (`${method} ${collection}${sid === undefined ? '' : '/:sid'}${sub === undefined ? '' : `/${sub}`}`) {
    case 'POST Rooms':
      return { status: 201, body: roomJson(world.createRoom()) };
    case 'GET Rooms/:sid':
      return withRoom(world, sid, (room) => ({ status: 200, body: roomJson(room) }));
    case 'POST Rooms/:sid':
      if (form.get('Status') !== 'completed') return bad('Only Status=completed is understood');
      return withRoom(world, sid, (room) => {
        world.endRoom(room);
        return { status: 200, body: roomJson(room) };
      });
    case 'POST Rooms/:sid/RecordingRules':
      return withRoom(world, sid, (room) => setRules(world, room, form));
    case 'GET Recordings':
      return list(
        'recordings',
        [...world.recordings.values()].filter(({ room }) => room === query.get('GroupingSid')).map(trackJson),
      );
    case 'DELETE Recordings/:sid':
      return remove(world.recordings.get(sid ?? ''));
    case 'POST Compositions':
      return compose(world, form);
    case 'GET Compositions':
      return list(
        'compositions',
        [...world.compositions.values()].filter(({ room }) => room === query.get('RoomSid')).map(compositionJson),
      );
    case 'GET Compositions/:sid': {
      const composition = world.compositions.get(sid ?? '');
      return composition === undefined ? notFound : { status: 200, body: compositionJson(composition) };
    }
    case 'DELETE Compositions/:sid':
      return remove(world.compositions.get(sid ?? ''));
    case 'GET Compositions/:sid/Media': {
      const composition = world.compositions.get(sid ?? '');
      if (composition?.status !== 'completed') return notFound;
      const ttl = Number(query.get('Ttl') ?? '3600');
      if (!Number.isInteger(ttl) || ttl < 1 || ttl > 43_200) return bad('Ttl is out of range');
      const location = mediaLocation(composition.sid, ttl);
      return { status: 302, headers: { location }, body: { redirect_to: location } };
    }
    default:
      return notFound;
  }
}

function withRoom(world: TwilioWorld, sid: string | undefined, then: (room: TwilioRoom) => ApiAnswer): ApiAnswer {
  const room = world.rooms.get(sid ?? '');
  return room === undefined ? notFound : then(room);
}

function setRules(world: TwilioWorld, room: TwilioRoom, form: URLSearchParams): ApiAnswer {
  if (room.status !== 'in-progress') return notFound;
  let rules: unknown;
  try {
    rules = JSON.parse(form.get('Rules') ?? '');
  } catch {
    return bad('Rules are not JSON');
  }
  const types = new Set<string>();
  if (!Array.isArray(rules) || rules.length === 0) return bad('Rules are not a list');
  for (const rule of rules as unknown[]) {
    const { type, all, ...others } = (rule ?? {}) as Record<string, unknown>; // looked at member by member
    if ((type !== 'include' && type !== 'exclude') || all !== true || Object.keys(others).length > 0)
      return bad('Only rules for all tracks are understood');
    types.add(type);
  }
  world.setRecording(room, types.has('include') && !types.has('exclude'));
  return { status: 202, body: { room_sid: room.sid, rules } };
}

const composeFields: ReadonlySet<string> = new Set([
  'RoomSid',
  'AudioSources',
  'VideoLayout',
  'Format',
  'StatusCallback',
  'StatusCallbackMethod',
]);

function compose(world: TwilioWorld, form: URLSearchParams): ApiAnswer {
  for (const name of form.keys()) if (!composeFields.has(name)) return bad(`Unknown field ${name}`);
  const room = world.rooms.get(form.get('RoomSid') ?? '');
  if (room === undefined) return bad('RoomSid is invalid');
  if (room.status !== 'completed') return bad('The room is in progress');
  if (form.get('AudioSources') === null && form.get('VideoLayout') === null) return bad('Nothing to compose from');
  const layout = form.get('VideoLayout');
  try {
    if (layout !== null) JSON.parse(layout);
  } catch {
    return bad('VideoLayout is not JSON');
  }
  const format = form.get('Format') ?? 'webm';
  if (format !== 'mp4' && format !== 'webm') return bad('Format is invalid');
  const usable = [...world.recordings.values()].some(
    (track) => track.room === room.sid && track.status === 'completed',
  );
  if (!usable) return bad('The room has no recordings');
  return { status: 201, body: compositionJson(world.compose(room, format, form.get('StatusCallback') ?? undefined)) };
}

function remove(resource: TwilioTrackRecording | TwilioComposition | undefined): ApiAnswer {
  if (resource === undefined || resource.status === 'deleted') return notFound;
  resource.status = 'deleted';
  return { status: 204 };
}

function list(key: string, items: readonly unknown[]): ApiAnswer {
  return { status: 200, body: { [key]: items, meta: { key, page: 0, page_size: 100, next_page_url: null } } };
}

function roomJson({ sid, status }: TwilioRoom): unknown {
  return { sid, status, type: 'group' };
}

function trackJson({ sid, room, status, kind }: TwilioTrackRecording): unknown {
  return { sid, status, type: kind, grouping_sids: { room_sid: room } };
}

function compositionJson({ sid, room, status, format }: TwilioComposition): unknown {
  return { sid, room_sid: room, status, format };
}
