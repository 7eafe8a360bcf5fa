import { MedzenError, type Random, toBase64 } from '@medzen/core';
import { backoffMs } from '../backoff.ts';

/** Connection options for Twilio. */
export interface TwilioApiOptions {
  readonly baseUrl: string;
  readonly user: string;
  readonly password: string;
  readonly fetch: typeof globalThis.fetch;
  readonly timeoutMs: number;
  readonly random: Random;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** One request. */
interface TwilioRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With a slash at the front. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  /** Attempts in all; 3 when absent. 1 where asking twice is not asking once. */
  readonly attempts?: number;
  readonly signal?: AbortSignal | undefined;
}

/** An answer below 500 other than 429 and the credentials being refused: what it means depends on the question. */
interface TwilioAnswer {
  readonly status: number;
  readonly location: string | undefined;
  /** Parsed JSON object; empty when there was none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** An attempt before it got no answer, or one of 5xx: it may have done what was asked. */
  readonly uncertain: boolean;
}

/** Twilio's REST API, as far as this package uses it. */
export interface TwilioApi {
  /** @throws MedzenError `provider_unavailable`; not retryable when the credentials were refused and nothing can have been done */
  request(request: TwilioRequest): Promise<TwilioAnswer>;
  /** One resource; undefined for 404. @throws MedzenError `provider_unavailable` */
  read(path: string, signal?: AbortSignal): Promise<Readonly<Record<string, unknown>> | undefined>;
  /**
   * All pages of a list: the objects under `key`.
   *
   * @throws MedzenError `provider_unavailable`; also when there are more than 100 pages: half a list would be taken for the whole
   */
  all(
    path: string,
    query: Readonly<Record<string, string>>,
    key: string,
    signal?: AbortSignal,
  ): Promise<readonly Record<string, unknown>[]>;
}

/** Pages of 100 that are followed: no room has more recordings than these hold. */
const maxPages = 100;

/** Binds address and credentials. Redirects are never followed here, so that credentials go to one host only. */
export function twilioApi(options: TwilioApiOptions): TwilioApi {
  const authorization = `Basic ${toBase64(new TextEncoder().encode(`${options.user}:${options.password}`))}`;
  const once = async (request: TwilioRequest): Promise<Omit<TwilioAnswer, 'uncertain'>> => {
    const url = new URL(options.baseUrl + request.path);
    for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
    const timeout = AbortSignal.timeout(options.timeoutMs);
    try {
      const response = await options.fetch(url, {
        method: request.method,
        headers: { authorization, accept: 'application/json' },
        ...(request.form === undefined ? {} : { body: new URLSearchParams(request.form) }),
        redirect: 'manual',
        signal: request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]),
      });
      const text = await response.text();
      return { status: response.status, location: response.headers.get('location') ?? undefined, body: object(text) };
    } catch (cause) {
      throw new MedzenError('provider_unavailable', 'Twilio did not answer', { cause });
    }
  };
  const request = async (asked: TwilioRequest): Promise<TwilioAnswer> => {
    let uncertain = false;
    for (let tried = 1; ; tried++) {
      const last = tried >= (asked.attempts ?? 3) || asked.signal?.aborted === true;
      try {
        const answer = await once(asked);
        if (answer.status === 401 || answer.status === 403)
          throw new MedzenError('provider_unavailable', 'Twilio refused our credentials', { retryable: uncertain });
        if (answer.status < 500 && answer.status !== 429) return { ...answer, uncertain };
        if (answer.status >= 500) uncertain = true;
        if (last) throw new MedzenError('provider_unavailable', `Twilio answered ${answer.status}`);
      } catch (error) {
        if (last || (error instanceof Object && 'retryable' in error && error.retryable === false)) throw error;
        uncertain = true;
      }
      await options.sleep(backoffMs(options, tried - 1), asked.signal);
    }
  };
  return {
    request,
    read: async (path, signal) => {
      const { status, body } = await request({ method: 'GET', path, signal });
      if (status === 404) return undefined;
      if (status === 200) return body;
      throw new MedzenError('provider_unavailable', `Twilio answered ${status}`);
    },
    all: async (path, query, key, signal) => {
      const found: Record<string, unknown>[] = [];
      let next: TwilioRequest | undefined = { method: 'GET', path, query: { ...query, PageSize: '100' }, signal };
      for (let page = 0; next !== undefined && page < maxPages; page++) {
        const { status, body }: TwilioAnswer = await request(next);
        if (status !== 200) throw new MedzenError('provider_unavailable', `Twilio answered ${status} to a list`);
        const items = body[key];
        if (Array.isArray(items)) for (const item of items) if (isObject(item)) found.push(item);
        next = following(body, options.baseUrl, signal);
      }
      if (next !== undefined) throw new MedzenError('provider_unavailable', 'Twilio lists more than we can read');
      return found;
    },
  };
}

/**
 * The next page, if it is on the same host: an address in an answer is no reason to send credentials elsewhere.
 *
 * @throws MedzenError `provider_unavailable` for another host: half a list would be taken for the whole
 */
function following(
  body: Readonly<Record<string, unknown>>,
  baseUrl: string,
  signal?: AbortSignal,
): TwilioRequest | undefined {
  const meta = body.meta;
  const url = isObject(meta) ? meta.next_page_url : undefined;
  if (typeof url !== 'string' || url === '') return undefined;
  if (!url.startsWith(`${baseUrl}/`))
    throw new MedzenError('provider_unavailable', 'Twilio continues a list on another host');
  const { pathname, searchParams } = new URL(url);
  return { method: 'GET', path: pathname, query: Object.fromEntries(searchParams), signal };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function object(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
