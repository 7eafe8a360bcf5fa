import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '@medzen/core';
import { signCallback, type TwilioCallback } from './twilio-server/callback.ts';
import { answerApi } from './twilio-server/rest-api.ts';
import { twilioWorld } from './twilio-server/world.ts';

export type { TwilioCallback } from './twilio-server/callback.ts';
export { sampleMp4, sampleWebm } from './twilio-server/sample-media.ts';

/** How the stand-in is set up. */
export interface TwilioServerOptions {
  /** Default `ACtest`. */
  readonly accountSid?: string;
  /** Default `token`. */
  readonly authToken?: string;
  /** Where room callbacks go. Default `http://127.0.0.1/webhooks/twilio`. */
  readonly callbackUrl?: string;
  /**
   * What every composition's media is; its tracks are said to be as long as it is. Default: 64 KiB that a player would take for MP4 or WebM, as
   * long as the tracks were.
   */
  readonly media?: Uint8Array;
  readonly clock?: Clock;
}

/** What can be made to go wrong. Each is used up by one matching request. */
export type TwilioFault =
  /** The API answers with this status. */
  | { readonly on: 'api'; readonly status: number; readonly path?: RegExp }
  /** The API takes the request and hangs up. What it asked for has happened. */
  | { readonly on: 'api'; readonly hangUp: true; readonly path?: RegExp }
  /** The media host answers with this status. */
  | { readonly on: 'media'; readonly status: number }
  /** The media host cuts the connection after so many bytes. */
  | { readonly on: 'media'; readonly cutAfter: number }
  /** The media host sends other bytes of the same length. */
  | { readonly on: 'media'; readonly otherBytes: true }
  /** The media host sends nothing, and says so. */
  | { readonly on: 'media'; readonly empty: true }
  /** The API redirects for media to this address. */
  | { readonly on: 'redirect'; readonly to: string };

/** One request, as the stand-in saw it. */
export interface TwilioLogLine {
  readonly host: 'api' | 'media';
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/** A running stand-in for Twilio Video: not Twilio, but as strict as its documentation. */
export interface TwilioServer {
  /** For `baseUrl`. */
  readonly url: string;
  /** Another host than the API's, which must never see its credentials. */
  readonly mediaUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** Every answered request, oldest first. */
  readonly log: readonly TwilioLogLine[];
  /** Callbacks that Twilio would have sent, oldest first. Take from it, deliver it, or leave it. */
  readonly outbox: TwilioCallback[];
  /** A room in progress. @returns its SID */
  createRoom(): string;
  /** Everyone has left. */
  endRoom(roomSid: string): void;
  /** The compositions of a room that were asked for become ready, or fail. @returns their SIDs */
  finishCompositions(roomSid: string, outcome?: 'completed' | 'failed'): readonly string[];
  /** Nobody spoke: the tracks of a room vanish, as if there never had been any. */
  loseTracks(roomSid: string): void;
  /** All tracks of a room that are not deleted become unusable. */
  failTracks(roomSid: string): void;
  /** What is left of a room: everything that was not deleted. */
  left(roomSid: string): { readonly recordings: readonly string[]; readonly compositions: readonly string[] };
  /** A signed callback of one's own making. */
  callback(event: string, fields: Readonly<Record<string, string>>): TwilioCallback;
  /** The same with a signature that does not verify. */
  forged(event: string, fields: Readonly<Record<string, string>>): TwilioCallback;
  /** Sends a callback over HTTP. */
  deliver(callback: TwilioCallback): Promise<Response>;
  /** Breaks the next matching request. */
  fail(fault: TwilioFault): void;
  close(): Promise<void>;
}

/**
 * Starts the stand-in on two free loopback ports: the API, and the host that its media redirects lead to.
 *
 * @example
 * ```ts
 * import { startTwilioServer } from '@medzen/testing/twilio-server';
 * const server = await startTwilioServer();
 * const room = server.createRoom();
 * server.endRoom(room);
 * server.outbox.map(({ event }) => event); // ['room-ended']
 * await server.close();
 * ```
 */
export async function startTwilioServer(options: TwilioServerOptions = {}): Promise<TwilioServer> {
  const { accountSid = 'ACtest', authToken = 'token', clock = systemClock } = options;
  const callbackUrl = options.callbackUrl ?? 'http://127.0.0.1/webhooks/twilio';
  const { media } = options;
  const world = twilioWorld({ accountSid, authToken, callbackUrl, clock, media });
  const faults: TwilioFault[] = [];
  const log: TwilioLogLine[] = [];
  const tickets = new Map<string, { readonly sid: string; readonly until: number }>();
  const expected = Buffer.from(`Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`);
  const take = <F extends TwilioFault>(wanted: (fault: TwilioFault) => fault is F): F | undefined => {
    const index = faults.findIndex(wanted);
    return index < 0 ? undefined : (faults.splice(index, 1)[0] as F); // found by that very predicate
  };
  const mediaLocation = (sid: string, ttl: number): string => {
    const redirect = take((fault): fault is Extract<TwilioFault, { on: 'redirect' }> => fault.on === 'redirect');
    if (redirect !== undefined) return redirect.to;
    const ticket = `${sid}-${tickets.size}`;
    tickets.set(ticket, { sid, until: clock.now().getTime() + ttl * 1000 });
    return `${mediaUrl}/${sid}?ticket=${ticket}`;
  };

  const api = createServer((message, response) => {
    void readBody(message).then((body) => {
      const url = new URL(message.url ?? '/', 'http://api');
      const reply = (status: number, headers: Readonly<Record<string, string>> = {}, json?: unknown): void => {
        log.push({ host: 'api', method: message.method ?? '', path: url.pathname, status });
        send(
          response,
          status,
          { 'content-type': 'application/json', ...headers },
          json === undefined ? undefined : JSON.stringify(json),
        );
      };
      if (!sameText(message.headers.authorization ?? '', expected))
        return reply(401, {}, { code: 20003, message: 'Authenticate' });
      const fault = take(
        (one): one is Extract<TwilioFault, { on: 'api' }> => one.on === 'api' && (one.path?.test(url.pathname) ?? true),
      );
      if (fault !== undefined && 'status' in fault) return reply(fault.status, {}, { message: 'As asked' });
      const answer = answerApi(
        world,
        {
          method: message.method ?? '',
          path: url.pathname,
          query: url.searchParams,
          contentType: message.headers['content-type'] ?? '',
          body,
          origin: `http://${message.headers.host}`,
        },
        mediaLocation,
      );
      if (fault !== undefined) {
        log.push({ host: 'api', method: message.method ?? '', path: url.pathname, status: 0 });
        response.destroy();
        return;
      }
      reply(answer.status, answer.headers, answer.body);
    });
  });

  const mediaHost = createServer((message, response) => {
    const url = new URL(message.url ?? '/', 'http://media');
    const reply = (status: number): void => {
      log.push({ host: 'media', method: message.method ?? '', path: url.pathname, status });
      send(response, status, {});
    };
    // S3 refuses a request that is signed twice; here it also shows a leak of the credentials.
    if (message.headers.authorization !== undefined) return reply(400);
    const ticket = tickets.get(url.searchParams.get('ticket') ?? '');
    if (ticket === undefined || `/${ticket.sid}` !== url.pathname || ticket.until < clock.now().getTime())
      return reply(403);
    const composition = world.compositions.get(ticket.sid);
    if (composition?.status !== 'completed' || composition.media === undefined) return reply(404);
    const fault = take((one): one is Extract<TwilioFault, { on: 'media' }> => one.on === 'media');
    if (fault !== undefined && 'status' in fault) return reply(fault.status);
    const bytes = fault !== undefined && 'empty' in fault ? new Uint8Array(0) : composition.media;
    log.push({ host: 'media', method: message.method ?? '', path: url.pathname, status: 200 });
    // As S3 does for what was stored without a type.
    response.writeHead(200, { 'content-type': 'binary/octet-stream', 'content-length': bytes.length });
    if (fault !== undefined && 'cutAfter' in fault) {
      response.write(bytes.subarray(0, fault.cutAfter), () => response.destroy());
      return;
    }
    response.end(fault === undefined ? bytes : bytes.map((byte) => byte ^ 0xff));
  });

  const [url, mediaUrl] = [await listen(api), await listen(mediaHost)];
  const roomOf = (sid: string) => {
    const room = world.rooms.get(sid);
    if (room === undefined) throw new RangeError('No such room');
    return room;
  };
  return {
    url,
    mediaUrl,
    accountSid,
    authToken,
    log,
    outbox: world.outbox,
    createRoom: () => world.createRoom().sid,
    endRoom: (sid) => world.endRoom(roomOf(sid)),
    failTracks: (sid) => world.failTracks(roomOf(sid)),
    loseTracks: (sid) => {
      for (const track of [...world.recordings.values()]) if (track.room === sid) world.recordings.delete(track.sid);
    },
    finishCompositions: (sid, outcome = 'completed') => {
      const waiting = [...world.compositions.values()].filter((one) => one.room === sid && one.status === 'enqueued');
      for (const composition of waiting) world.finish(composition, outcome);
      return waiting.map((composition) => composition.sid);
    },
    left: (sid) => ({
      recordings: [...world.recordings.values()]
        .filter((one) => one.room === sid && one.status !== 'deleted')
        .map((one) => one.sid),
      compositions: [...world.compositions.values()]
        .filter((one) => one.room === sid && one.status !== 'deleted')
        .map((one) => one.sid),
    }),
    callback: (event, fields) => world.callback(event, fields),
    forged: (event, fields) =>
      signCallback(`not ${authToken}`, callbackUrl, event, {
        AccountSid: accountSid,
        Timestamp: clock.now().toISOString(),
        ...fields,
      }),
    deliver: (callback) => fetch(callback.url, { method: 'POST', headers: callback.headers, body: callback.body }),
    fail: (fault) => void faults.push(fault),
    close: async () => {
      await Promise.all([shut(api), shut(mediaHost)]);
    },
  };
}

function readBody(message: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    message.setEncoding('utf8');
    message.on('data', (chunk: string) => {
      text += chunk;
    });
    message.on('end', () => resolve(text));
    message.on('error', reject);
  });
}

function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body?: string,
): void {
  response.writeHead(status, headers);
  response.end(body);
}

function sameText(given: string, expected: Buffer): boolean {
  const bytes = Buffer.from(given);
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

async function listen(server: Server): Promise<string> {
  // Idle connections stay: closed just as one is taken up again, they would fail a request that nobody answered.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // listening on TCP, so it has a port
}

function shut(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
