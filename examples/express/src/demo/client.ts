import type { LocalIssuer, Person } from '../local-issuer.ts';

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  /** A field of the JSON answer by its path, `retention.graceUntil`; undefined when there is none. */
  field(path: string): unknown;
  /** The same, which must be a text. */
  text(path: string): string;
}

/** A request that was refused. */
interface Refusal {
  readonly request: string;
  readonly status: number;
  readonly code: string;
}

/** What a request may carry. */
interface RequestOptions {
  readonly as?: Person;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Speaks HTTP to the app, with a fresh token a request, and remembers what was refused. */
export interface Client {
  call(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** A request to any URL, as a browser or Twilio makes it. */
  send(url: string, init?: RequestInit): Promise<Answer>;
  readonly refusals: readonly Refusal[];
}

/** @param baseUrl - of the app, without a final slash */
export function createClient(baseUrl: string, issuer: LocalIssuer): Client {
  const refusals: Refusal[] = [];
  const send: Client['send'] = async (url, init = {}) => {
    const response = await fetch(url, init);
    const answer = read(response.status, response.headers, new Uint8Array(await response.arrayBuffer()));
    const { pathname } = new URL(url);
    if (answer.status >= 400)
      refusals.push({
        request: `${init.method ?? 'GET'} ${pathname}`,
        status: answer.status,
        code: String(answer.field('code') ?? ''),
      });
    return answer;
  };
  return {
    send,
    call: async (method, path, { as, body, headers = {} } = {}) =>
      send(`${baseUrl}${path}`, {
        method,
        headers: {
          'user-agent': 'medzen-demo',
          ...(as === undefined ? {} : { authorization: `Bearer ${await issuer.token(as)}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    refusals,
  };
}

function read(status: number, headers: Headers, bytes: Uint8Array): Answer {
  const isJson = /json/.test(headers.get('content-type') ?? '');
  const json: unknown = isJson ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
  const field = (path: string): unknown => path.split('.').reduce(step, json);
  return {
    status,
    headers,
    bytes,
    field,
    text: (path) => {
      const value = field(path);
      if (typeof value !== 'string') throw new Error(`The answer (${status}) has no text at ${path}`);
      return value;
    },
  };
}

function step(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key]; // an own property, as was just checked
}
