import type { PurposeOfUse } from '@medzen/core';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Rule } from './authorize.ts';
import type { BodyReader } from './body/body-reader.ts';
import type { OriginList } from './cors/origin-list.ts';
import type { Auth } from './identity/auth.ts';
import type { Limit } from './limits/limit.ts';
import type { ConnectionInfo } from './network/trusted-proxies.ts';
import type { PurposeHeader } from './purpose.ts';
import type { RequestContext } from './request-context.ts';
import type { Route, RoutePattern } from './route.ts';
import type { SecurityHeaders } from './security-headers.ts';

/**
 * Everything that decides whether a request reaches its handler, in one place. It is enforced in one order: request id →
 * CORS → IP limits → authentication → parameters and query → authorisation → other limits → body → handler.
 */
export interface Policy<
  R extends Route,
  A extends Auth,
  P extends StandardSchemaV1 | undefined,
  Q extends StandardSchemaV1 | undefined,
  B extends BodyReader<unknown> | undefined,
> {
  /** Method and path template. A path or method that does not fit is answered 404 or 405. */
  readonly route: R;
  /** Who may call. There is no default: a route open to anyone says so with `publicRoute('why')`. */
  readonly auth: A;
  /** Which browsers' origins may call. Absent = none. Requests without an `Origin` are not browsers' cross-origin calls. */
  readonly cors?: OriginList;
  /** All must hold. */
  readonly allow?: Rule | readonly Rule[];
  /** Those by `ip` are checked before authentication, the others after authorisation; at most 16 each. Names are distinct. */
  readonly limits?: readonly Limit[];
  /** Of the path, from its decoded texts. */
  readonly params?: P;
  /** Of the query: a text each, or an array of texts where a name is repeated. */
  readonly query?: Q;
  /** Absent: the guard leaves the body alone, and a handler that reads it does so at its own risk. */
  readonly body?: B;
  /** A fixed purpose of use, or where the client states it. */
  readonly purpose?: PurposeOfUse | PurposeHeader;
  /** Default: `securityHeaders()`. */
  readonly headers?: SecurityHeaders;
}

/** What the guard calls when everything held. What it throws becomes a problem document; an unknown error a bare 500. */
export type Handler<R extends Route, A extends Auth, P, Q, B> = (
  request: Request,
  ctx: RequestContext<R, A, P, Q, B>,
) => Response | Promise<Response>;

/**
 * A guarded handler, as Deno, Bun, Workers and edge functions call it. Never rejects.
 *
 * @param request - untouched: nothing may have read its body
 * @param info - what the server knows about the connection
 */
export type FetchHandler = (request: Request, info?: ConnectionInfo) => Promise<Response>;

/** What `secure` answers: a handler that knows its route, so that several can be put together. */
export interface GuardedHandler extends FetchHandler {
  readonly pattern: RoutePattern;
}
