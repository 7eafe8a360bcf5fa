import { MedzenError, type Random, type Recording, systemRandom } from '@medzen/core';
import { verifyTwilio } from '@medzen/core/webhooks';
import { sleep } from '../backoff.ts';
import type { CompositionOrder, Provider, ProviderMediaStream, VerifiedWebhook } from '../provider.ts';
import { isLoopback, mediaLocation, twilioMediaHosts } from './media-host.ts';
import { type TwilioApi, twilioApi } from './twilio-api.ts';
import { isSid, readTwilioCallback } from './twilio-events.ts';
import { lookAtRoom, secondsCaptured } from './twilio-look.ts';

/** Options of the Twilio Video provider. */
export interface TwilioOptions {
  readonly accountSid: string;
  /** The auth token; during a rotation the current one first, then the other. Callbacks signed with any of them verify. */
  readonly authToken: string | readonly string[];
  /** An API key to authenticate requests with, instead of the account's SID and token. */
  readonly apiKey?: { readonly sid: string; readonly secret: string };
  /**
   * Where Twilio sends the composition's callbacks; a function of the tenant where the URL names it, as it must where there are several:
   * Twilio's signature covers the URL, and `ingest` is told the tenant from it. Without it nobody hears that the media is ready.
   */
  readonly statusCallback?: string | ((tenant: string) => string);
  /** `mp4` when absent. */
  readonly format?: 'mp4' | 'webm';
  readonly fetch?: typeof globalThis.fetch;
  /** `https://video.twilio.com` when absent. Plain http only to loopback, and only with `allowLoopback`. */
  readonly baseUrl?: string;
  /**
   * Hosts to which Twilio may redirect for the media; a `*` stands for any part of a name. Twilio's own hosts and buckets when absent.
   * Always https, and never with our credentials.
   */
  readonly mediaHosts?: readonly string[];
  /** For tests and demos: plain http to 127.0.0.1, [::1] and localhost. */
  readonly allowLoopback?: boolean;
  /** For one request to answer, milliseconds; 10 000 when absent. Streaming the media itself has no such bound. */
  readonly timeoutMs?: number;
  readonly random?: Random;
  /** Waits between retries; `setTimeout` by default. */
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

interface Twilio {
  readonly api: TwilioApi;
  readonly options: TwilioOptions;
  readonly fetch: typeof globalThis.fetch;
  readonly timeoutMs: number;
}

/** Of compositions and recordings deleted through the API. */
const metadataNote = 'Twilio keeps metadata (no media) of deleted compositions and recordings for 30 days.';

/**
 * Twilio Video: callbacks verified by `X-Twilio-Signature`, capture steered by recording rules, media made by a composition of the room
 * once it has ended, copied and then deleted with its sources.
 *
 * @throws MedzenError `invalid_configuration` for an address that would send credentials in the clear
 * @see https://www.twilio.com/docs/video/api/status-callbacks
 * @see https://www.twilio.com/docs/video/api/compositions-resource
 * @example
 * ```ts
 * import { twilio } from '@medzen/recording';
 * const provider = twilio({ accountSid: 'AC…', authToken: '…', statusCallback: 'https://app.example.com/webhooks/twilio' });
 * provider.name; // 'twilio'
 * ```
 */
export function twilio(options: TwilioOptions): Provider {
  const tokens = typeof options.authToken === 'string' ? [options.authToken] : options.authToken;
  const [token = ''] = tokens;
  if (tokens.some((one) => one === '') || token === '')
    throw new MedzenError('invalid_configuration', 'Twilio needs an auth token');
  // The default is looked up at each call, so that a host may patch the global one.
  const doFetch = options.fetch ?? ((...args) => globalThis.fetch(...args));
  const timeoutMs = options.timeoutMs ?? 10_000;
  const api = twilioApi({
    baseUrl: checkedBase(options),
    user: options.apiKey?.sid ?? options.accountSid,
    password: options.apiKey?.secret ?? token,
    fetch: doFetch,
    timeoutMs,
    random: options.random ?? systemRandom,
    sleep: options.sleep ?? sleep,
  });
  const parts: Twilio = { api, options, fetch: doFetch, timeoutMs };
  return {
    name: 'twilio',
    account: options.accountSid,
    verify: (request): VerifiedWebhook => {
      let reason: 'signature_missing' | 'signature_invalid' | 'body_malformed' = 'signature_invalid';
      for (const one of tokens) {
        const verdict = verifyTwilio(request, one);
        if (verdict.ok)
          return readTwilioCallback(request.body, options.accountSid, contentType(options.format ?? 'mp4'));
        reason = verdict.reason;
      }
      return { ok: false, reason };
    },
    start: (recording, signal) => startCapture(parts, recording, signal),
    stop: (recording, signal) => stopCapture(parts, recording, signal),
    look: async (recording, signal) =>
      // Twilio does not know an id of another form.
      isSid(recording.providerRef)
        ? lookAtRoom(api, recording.providerRef, recording, (format) => formatOf(parts, format), signal)
        : { status: 'unknown' },
    compose: (recording, order, signal) => compose(parts, recording, order, signal),
    media: (recording, signal) => openMedia(parts, recording, signal),
    discard: (recording, signal) => discard(parts, recording, signal),
  };
}

function checkedBase(options: TwilioOptions): string {
  const base = (options.baseUrl ?? 'https://video.twilio.com').replace(/\/+$/, '');
  const url = new URL(base);
  if (url.protocol === 'https:' || (options.allowLoopback === true && isLoopback(url))) return base;
  throw new MedzenError('invalid_configuration', 'Twilio is reached by https only');
}

/** Ids come from callers and from Twilio, and go into paths. */
function sid(text: string): string {
  if (isSid(text)) return text;
  throw new MedzenError('not_available', 'Id must be a Twilio SID');
}

function formatOf({ options }: Twilio, format: unknown): string {
  return contentType(typeof format === 'string' ? format : (options.format ?? 'mp4'));
}

function contentType(format: string): string {
  return format === 'webm' ? 'video/webm' : 'video/mp4';
}

function rules(type: 'include' | 'exclude'): Readonly<Record<string, string>> {
  return { Rules: JSON.stringify([{ type, all: true }]) };
}

async function startCapture({ api }: Twilio, recording: Recording, signal?: AbortSignal): Promise<void> {
  const path = `/v1/Rooms/${sid(recording.providerRef)}/RecordingRules`;
  const { status, uncertain } = await api.request({ method: 'POST', path, form: rules('include'), signal });
  if (status < 300) return;
  // Refused now; but an attempt before may have begun it, and the room have ended since.
  if (uncertain)
    throw new MedzenError('provider_unavailable', `Twilio answered ${status} to a start that may have begun`);
  throw new MedzenError('not_available', 'Twilio has no such room in progress');
}

async function stopCapture(parts: Twilio, recording: Recording, signal?: AbortSignal): Promise<void> {
  const path = `/v1/Rooms/${sid(recording.providerRef)}/RecordingRules`;
  const { status } = await parts.api.request({ method: 'POST', path, form: rules('exclude'), signal });
  if (status < 300) return;
  // Rules of a room that has ended cannot be changed, and need not be.
  if ((await roomStatus(parts, recording, signal)) === 'in-progress')
    throw new MedzenError('provider_unavailable', `Twilio answered ${status} to the end of a recording`);
}

async function roomStatus({ api }: Twilio, recording: Recording, signal?: AbortSignal): Promise<string> {
  const room = await api.read(`/v1/Rooms/${sid(recording.providerRef)}`, signal);
  return typeof room?.status === 'string' ? room.status : 'absent';
}

/** A room is composed as a whole and only once it has ended. One composition a room: asking again finds the one that was begun. */
async function compose(
  parts: Twilio,
  recording: Recording,
  { tenant, mayBegin }: CompositionOrder,
  signal?: AbortSignal,
): Promise<'begun' | 'later'> {
  const { api, options } = parts;
  const { statusCallback } = options;
  const callback = typeof statusCallback === 'function' ? statusCallback(tenant) : statusCallback;
  const room = await roomStatus(parts, recording, signal);
  if (room === 'in-progress') return 'later';
  const known = await api.all('/v1/Compositions', { RoomSid: recording.providerRef }, 'compositions', signal);
  if (known.some(({ status }) => status !== 'failed' && status !== 'deleted')) return 'begun';
  if (!(await mayBegin())) return 'begun';
  const { status } = await api.request({
    method: 'POST',
    path: '/v1/Compositions',
    form: {
      RoomSid: recording.providerRef,
      AudioSources: '*',
      VideoLayout: JSON.stringify({ grid: { video_sources: ['*'] } }),
      Format: options.format ?? 'mp4',
      ...(callback === undefined ? {} : { StatusCallback: callback, StatusCallbackMethod: 'POST' }),
    },
    // Two would be two compositions; the sweep asks again, and finds what this one began.
    attempts: 1,
    signal,
  });
  if (status >= 300) throw new MedzenError('not_available', 'Twilio has nothing to compose of this room');
  return 'begun';
}

async function openMedia(parts: Twilio, recording: Recording, signal?: AbortSignal): Promise<ProviderMediaStream> {
  const { api, options } = parts;
  const ref = recording.media?.ref;
  if (ref === undefined) throw new MedzenError('not_available', 'There is no media to fetch');
  const path = `/v1/Compositions/${sid(ref)}`;
  const composition = await api.request({ method: 'GET', path, signal });
  const { status, format, size, duration } = composition.body;
  if (composition.status === 404 || status === 'deleted' || status === 'failed')
    throw new MedzenError('not_available', 'Twilio no longer has this media');
  if (composition.status !== 200 || status !== 'completed')
    throw new MedzenError('provider_unavailable', 'Twilio does not have this media ready');
  const tracks = await api.all('/v1/Recordings', { GroupingSid: recording.providerRef }, 'recordings', signal);
  const capturedSeconds = secondsCaptured(tracks);
  const answer = await api.request({ method: 'GET', path: `${path}/Media`, query: { Ttl: '3600' }, signal });
  const { redirect_to } = answer.body;
  const location = mediaLocation(
    answer.location ?? (typeof redirect_to === 'string' ? redirect_to : undefined),
    options.mediaHosts ?? twilioMediaHosts,
    options.allowLoopback === true,
  );
  const response = await fetchMedia(parts, location, signal);
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  const stated = typeof size === 'number' ? size : undefined;
  const bytes = Number.isSafeInteger(length) ? length : stated;
  // No bytes at all is what it has, however large it says that it is: the copy shows it.
  if (stated !== undefined && bytes !== stated && bytes !== 0) {
    await response.body.cancel();
    throw new MedzenError('checksum_mismatch', 'Twilio states two sizes for the same media', { retryable: true });
  }
  return {
    body: response.body,
    // What was composed, not what its store says: S3 answers `binary/octet-stream` for anything.
    contentType: formatOf(parts, format),
    ...(bytes === undefined ? {} : { size: bytes }),
    ...(typeof duration === 'number' && duration >= 0 ? { durationSeconds: duration } : {}),
    ...(capturedSeconds === undefined ? {} : { capturedSeconds }),
  };
}

/** No credentials, no further redirect. The time-out is for the headers; the body may take as long as the caller allows. */
async function fetchMedia(
  { fetch, timeoutMs }: Twilio,
  location: URL,
  signal: AbortSignal | undefined,
): Promise<{ readonly headers: Headers; readonly body: ReadableStream<Uint8Array> }> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), timeoutMs);
  try {
    const response = await fetch(location, {
      redirect: 'manual',
      // A compressed body would have another length than the one stated.
      headers: { 'accept-encoding': 'identity' },
      signal: signal === undefined ? patience.signal : AbortSignal.any([patience.signal, signal]),
    });
    if (response.status === 200 && response.body !== null) return { headers: response.headers, body: response.body };
    await response.body?.cancel();
    throw new MedzenError('provider_unavailable', `The media host answered ${response.status}`);
  } catch (cause) {
    throw new MedzenError('provider_unavailable', 'The media host did not answer', { cause });
  } finally {
    clearTimeout(timer);
  }
}

/** Deletes, and then checks: an answered deletion does not prove anything, and a 404 may come from a wrong address. */
async function discard(parts: Twilio, recording: Recording, signal?: AbortSignal): Promise<{ readonly note: string }> {
  const { api } = parts;
  for (const { path, sid } of await held(parts, recording, signal)) {
    const answer = await api.request({ method: 'DELETE', path: `${path}/${sid}`, signal });
    if (answer.status >= 300 && answer.status !== 404)
      throw new MedzenError('provider_unavailable', `Twilio answered ${answer.status} to a deletion`);
  }
  if ((await held(parts, recording, signal)).length > 0)
    throw new MedzenError('provider_unavailable', 'Twilio still lists what it was asked to delete');
  return { note: metadataNote };
}

/** Compositions and tracks of the room that are not deleted. */
async function held(
  { api }: Twilio,
  { providerRef }: Recording,
  signal: AbortSignal | undefined,
): Promise<readonly { readonly path: string; readonly sid: string }[]> {
  const found: { readonly path: string; readonly sid: string }[] = [];
  for (const [path, query, key] of [
    ['/v1/Compositions', { RoomSid: providerRef }, 'compositions'],
    ['/v1/Recordings', { GroupingSid: providerRef }, 'recordings'],
  ] as const)
    for (const { status, sid } of await api.all(path, query, key, signal))
      if (status !== 'deleted' && isSid(sid)) found.push({ path, sid });
  return found;
}
