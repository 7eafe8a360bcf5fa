import type { IncomingMessage, ServerResponse } from 'node:http';
import { MedzenError } from '@medzen/core';
import type { FetchHandler } from './policy.ts';

/**
 * A request as Express hands it on.
 */
export interface ExpressRequest extends IncomingMessage {
  readonly originalUrl?: string;
  readonly body?: unknown;
}

/** Fits Express's `RequestHandler`, and Node's own `createServer` when called with a `next`. */
export type ExpressHandler = (
  request: ExpressRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Runs a guarded (or any fetch-style) handler as an Express 5 route. Mount it before any body parser: the guard reads the
 * raw body itself, bounded, and webhook signatures cover its exact bytes. If a parser has been there already, the request goes to
 * `next` with `invalid_configuration` and a message that says so.
 *
 * The handler sees the URL of the socket (scheme by TLS, host by `Host`) and the peer's address; what proxies
 * said is for the guard's `trustedProxies` and `publicOrigin`, not for Express's `trust proxy`.
 *
 * @example
 * ```ts
 * import { toExpress } from '@medzen/security/express';
 * import express from 'express';
 * const app = express();
 * app.get('/healthz', toExpress(async () => new Response('ok')));
 * ```
 */
export function toExpress(handler: FetchHandler): ExpressHandler {
  throw new MedzenError('internal', `Being written ${typeof handler}`);
}
