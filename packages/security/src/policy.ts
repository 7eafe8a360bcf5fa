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
  /** Authentication scheme. Required: a public route must say `publicRoute('why')`. */
  readonly auth: A;
  /** Allowed browser origins. Default: none. Requests without `Origin` are not affected. */
  readonly cors?: OriginList;
  /** All must hold. */
  readonly allow?: Rule | readonly Rule[];
  /** Those by `ip` are checked before authentication, the others after authorisation; at most 16 each. Names are distinct. */
  readonly limits?: readonly Limit[];
  /** Schema of the path parameters (decoded strings). */
  readonly params?: P;
  /** Schema of the query: strings, or arrays of strings for repeated names. */
  readonly query?: Q;
  /** Absent: the guard leaves the body alone, and a handler that reads it does so at its own risk. */
  readonly body?: B;
  /** A fixed purpose of use, or where the client states it. */
  readonly purpose?: PurposeOfUse | PurposeHeader;
  /** Default: `securityHeaders()`. */
  readonly headers?: SecurityHeaders;
}

/**
 * Handles a request that passed the guard. A thrown MedzenError becomes a problem document; any other error a bare 500.
 */
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

/** A guarded handler that knows its route, so that several can be combined. */
export interface GuardedHandler extends FetchHandler {
  readonly pattern: RoutePattern;
}
