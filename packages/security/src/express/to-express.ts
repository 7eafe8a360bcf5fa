import type { ServerResponse } from 'node:http';
import { MedzenError } from '@medzen/core';
import type { FetchHandler } from '../policy.ts';
import { problemResponse } from '../problem-response.ts';
import { securityHeaders } from '../security-headers.ts';
import type { ExpressRequest } from './express-request.ts';
import { sendResponse } from './send-response.ts';
import { discardBody, hasBody, toRequest } from './to-request.ts';

/** Fits Express's `RequestHandler`, and Node's own `createServer` when called with a `next`. */
export type ExpressHandler = (
  request: ExpressRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Runs a guarded (or any fetch-style) handler as an Express 5 route. Mount it before any body parser: the guard reads the
 * raw body itself, bounded, and webhook signatures cover its exact bytes. If a parser has been there already, the request
 * goes to `next` with `invalid_configuration` and a message that says so.
 *
 * The handler sees the URL of the socket (scheme by TLS, host by `Host`) and the peer's address; what proxies said is for
 * the guard's `trustedProxies` and `publicOrigin`, not for Express's `trust proxy`.
 *
 * @param handler - from `secure` or `routes`, or any other
 * @example
 * ```ts
 * import { toExpress } from '@medzen/security/express';
 * import express from 'express';
 * const app = express();
 * app.get('/healthz', toExpress(async () => new Response('ok')));
 * ```
 */
export function toExpress(handler: FetchHandler): ExpressHandler {
  return (request, response, next) => {
    run(handler, request, response, next).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else next(error);
    });
  };
}

async function run(
  handler: FetchHandler,
  incoming: ExpressRequest,
  outgoing: ServerResponse,
  next: (error?: unknown) => void,
): Promise<void> {
  if (hasBody(incoming) && (incoming.readableDidRead || incoming.readableEnded)) {
    next(
      new MedzenError(
        'invalid_configuration',
        'A body parser (express.json, express.urlencoded, …) read the body before the guard: mount guarded routes before it',
      ),
    );
    return;
  }
  const gone = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  const request = toRequest(incoming, gone.signal);
  const { remoteAddress } = incoming.socket;
  const target = incoming.originalUrl ?? incoming.url;
  const info = {
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    ...(target === undefined ? {} : { target }),
  };
  const response = request === undefined ? unreadable() : await handler(request, info);
  await sendResponse(response, outgoing, incoming.method === 'HEAD');
  // Only now: the answer may be made of the body.
  discardBody(incoming);
}

/** What never became a request is answered with the header fields of every other answer. */
function unreadable(): Response {
  const response = problemResponse(
    new MedzenError('invalid_input', 'The request line or a header field cannot be read'),
  );
  securityHeaders().apply(response.headers);
  response.headers.set('vary', 'Origin');
  return response;
}
