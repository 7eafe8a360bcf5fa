import type { IncomingMessage } from 'node:http';
import type { ExpressRequest } from './express-request.ts';

/** Checks whether the message announces a body. */
export function hasBody(incoming: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
  return coding !== undefined || (length !== undefined && length !== '0');
}

/**
 * The message as a web request. Header fields are taken as they came, repeated ones joined: Node's own view keeps the
 * first `Authorization` of two, which is a choice that nobody should make here.
 *
 * @returns undefined when it has no form as a web request: a method like TRACE, a host that is none
 */
export function toRequest(incoming: ExpressRequest, signal: AbortSignal): Request | undefined {
  const { method = 'GET', rawHeaders } = incoming;
  try {
    const headers = new Headers();
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] ?? '';
      if (!name.startsWith(':')) headers.append(name, rawHeaders[i + 1] ?? '');
    }
    const url = urlOf(incoming);
    if (url === undefined) return undefined;
    if (method === 'GET' || method === 'HEAD' || !hasBody(incoming))
      return new Request(url, { method, headers, signal });
    const init: RequestInit & { readonly duplex: 'half' } = {
      method,
      headers,
      signal,
      body: streamOf(incoming),
      // Wanted by Node's fetch for streamed bodies; not yet in the DOM's types.
      duplex: 'half',
    };
    return new Request(url, init);
  } catch {
    return undefined;
  }
}

function urlOf(incoming: ExpressRequest): string | undefined {
  const { host = '', ':authority': authority = host } = incoming.headers;
  const target = incoming.originalUrl ?? incoming.url ?? '/';
  if (typeof authority !== 'string' || !/^[A-Za-z0-9.:[\]_-]+$/.test(authority)) return undefined;
  const scheme = 'encrypted' in incoming.socket && incoming.socket.encrypted === true ? 'https' : 'http';
  if (target.startsWith('/')) {
    // Put together as text: resolved against a base, `//evil.example/` would name another host.
    const url = `${scheme}://${authority}${target}`;
    return URL.canParse(url) ? url : undefined;
  }
  if (!URL.canParse(target)) return undefined;
  // Absolute form (RFC 9112 §3.2.2): its host is the client's word, like any; ours stays the Host field's.
  const { pathname, search } = new URL(target);
  return `${scheme}://${authority}${pathname}${search}`;
}

/** The body, read only as fast as it is asked for. */
function streamOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let release: (() => void) | undefined;
  const start = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    const onData = (chunk: Uint8Array): void => {
      incoming.pause();
      controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    };
    const onEnd = (): void => settle(() => controller.close());
    const onError = (): void => settle(() => controller.error(new Error('The connection broke')));
    release = () => {
      incoming.off('data', onData).off('end', onEnd).off('error', onError).off('close', onError);
    };
    const settle = (tell: () => void): void => {
      release?.();
      tell();
    };
    incoming.on('data', onData).once('end', onEnd).once('error', onError).once('close', onError);
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (release === undefined) start(controller);
        else incoming.resume();
      },
      cancel: () => release?.(),
    },
    { highWaterMark: 0 },
  );
}

/** A body that the handler did not want is read away up to here, so that the client can read the answer. */
const discardBytes = 1024 * 1024;
const discardMs = 5000;

/**
 * Reads what is left of a body, within bounds; past them the connection is closed. Closing at once would reset it under a
 * client that is still sending, and lose the answer.
 */
export function discardBody(incoming: IncomingMessage): void {
  if (!hasBody(incoming) || incoming.complete || incoming.destroyed) return;
  let left = discardBytes;
  const stop = (): void => {
    incoming.socket.destroySoon();
  };
  const timer = setTimeout(stop, discardMs);
  timer.unref();
  incoming.on('data', (chunk: Uint8Array) => {
    left -= chunk.byteLength;
    if (left < 0) stop();
  });
  incoming.once('close', () => clearTimeout(timer));
  incoming.once('end', () => clearTimeout(timer));
  incoming.on('error', () => undefined);
  incoming.resume();
}
