import {
  secondsBetween,
  type TwilioComposition,
  type TwilioRoom,
  type TwilioTrackRecording,
  type TwilioWorld,
} from './world.ts';

/** A request to the API, its credentials checked. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: string;
  /** Of the API itself, for addresses of further pages. */
  readonly origin: string;
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
    case 'GET Rooms/:sid/RecordingRules':
      return withRoom(world, sid, (room) => ({ status: 200, body: rulesJson(room) }));
    case 'POST Rooms/:sid/RecordingRules':
      return withRoom(world, sid, (room) => setRules(world, room, form));
    case 'GET Recordings':
      return list(request, 'recordings', ['GroupingSid'], world.recordings.values(), (track) =>
        trackJson(track, world.givenSeconds),
      );
    case 'DELETE Recordings/:sid':
      return remove(world.recordings.get(sid ?? ''));
    case 'POST Compositions':
      return compose(world, form);
    case 'GET Compositions':
      return list(request, 'compositions', ['RoomSid'], world.compositions.values(), compositionJson);
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
  return { status: 202, body: rulesJson(room) };
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

/**
 * One page of a list, newest first. Only the filters that are named are known: Twilio ignores a misspelled one and lists everything, which
 * a test would not notice.
 */
function list<T extends { readonly room: string }>(
  { query, origin, path }: ApiRequest,
  key: string,
  filters: readonly string[],
  all: Iterable<T>,
  json: (item: T) => unknown,
): ApiAnswer {
  for (const name of query.keys())
    if (!['PageSize', 'Page', 'PageToken', ...filters].includes(name)) return bad(`Unknown filter ${name}`);
  const size = Number(query.get('PageSize') ?? '50');
  const page = Number(query.get('Page') ?? '0');
  if (!Number.isInteger(size) || size < 1 || size > 100 || !Number.isInteger(page) || page < 0)
    return bad('PageSize is out of range');
  const room = query.get(filters[0] ?? '');
  const found = [...all].filter((item) => room === null || item.room === room).toReversed();
  const rest = found.slice(page * size);
  const next = new URLSearchParams(query);
  next.set('PageSize', String(size));
  next.set('Page', String(page + 1));
  next.set('PageToken', `PA${page + 1}`);
  return {
    status: 200,
    body: {
      [key]: rest.slice(0, size).map(json),
      meta: { key, page, page_size: size, next_page_url: rest.length > size ? `${origin}${path}?${next}` : null },
    },
  };
}

/** As Twilio writes them: whole seconds. */
function instant(at: Date | undefined): string | null {
  return at === undefined ? null : `${at.toISOString().slice(0, 19)}Z`;
}

function roomJson({ sid, status, createdAt, endedAt }: TwilioRoom): unknown {
  const duration = endedAt === undefined ? null : secondsBetween(createdAt, endedAt);
  return { sid, status, type: 'group', date_created: instant(createdAt), end_time: instant(endedAt), duration };
}

function rulesJson({ sid, recording, createdAt }: TwilioRoom): unknown {
  const rules = [{ type: recording ? 'include' : 'exclude', all: true }];
  return { room_sid: sid, rules, date_created: instant(createdAt), date_updated: instant(createdAt) };
}

function trackJson(
  { sid, room, status, kind, createdAt, endedAt }: TwilioTrackRecording,
  given: number | undefined,
): unknown {
  const duration = endedAt === undefined ? null : (given ?? secondsBetween(createdAt, endedAt));
  return {
    sid,
    status,
    type: kind,
    grouping_sids: { room_sid: room },
    date_created: instant(createdAt),
    // Milliseconds since some moment that all tracks of a room share.
    offset: createdAt.getTime(),
    duration,
    size: status === 'completed' ? 1024 : null,
    container_format: kind === 'audio' ? 'mka' : 'mkv',
  };
}

function compositionJson({ sid, room, status, format, createdAt, media, duration }: TwilioComposition): unknown {
  return {
    sid,
    room_sid: room,
    status,
    format,
    date_created: instant(createdAt),
    size: media?.length ?? 0,
    duration: duration ?? 0,
  };
}
