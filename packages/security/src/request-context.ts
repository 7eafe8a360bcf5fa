import type { Actor, AuditSource, CallContext, PurposeOfUse, Scope } from '@medzen/core';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { BodyReader } from './body/body-reader.ts';
import type { Auth, Claims, IdentityAuth, PublicAuth, WebhookAuth } from './identity/auth.ts';
import type { Route, RouteParams } from './route.ts';

/** Input of every handler. */
export interface BaseContext<R extends Route = Route> {
  /** UUIDv7; also in the `x-request-id` of the answer and in every audit event. */
  readonly requestId: string;
  readonly route: R;
  /** The URL as the client called it, seen through trusted proxies. */
  readonly url: URL;
  /** From where, for audit events. */
  readonly source: AuditSource;
  /** Aborts when the client goes away, where the server tells. */
  readonly signal: AbortSignal;
  /** Keeps an edge runtime alive for work after the answer; elsewhere the promise just runs, its failure logged. */
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * The context of a route with an identity. It is a `CallContext`, to be handed on as it is:
 * `recordings.start(ctx.body, ctx)`.
 */
export interface IdentifiedContext<R extends Route = Route> extends BaseContext<R>, CallContext {
  readonly scope: Scope;
  readonly actor: Actor;
  readonly purpose?: PurposeOfUse;
  readonly reason?: string;
}

/** Fields that the kind of identity adds to a context. A public route gets no actor and no scope. */
export type ContextOf<A extends Auth, R extends Route> = A extends PublicAuth
  ? BaseContext<R>
  : A extends WebhookAuth<infer E>
    ? IdentifiedContext<R> & {
        readonly rawBody: Uint8Array;
        /** Events that `verify` read from the bytes that it verified; empty where it only verifies. */
        readonly events: readonly E[];
      }
    : A extends IdentityAuth
      ? IdentifiedContext<R> & { readonly claims: Claims; readonly issuer: string }
      : never;

/** The output of a schema, or what stands in its place when there is none. */
export type OutputOf<S, Otherwise> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : Otherwise;

/** The body a handler gets. */
export type BodyOf<B, A extends Auth> =
  B extends BodyReader<infer T> ? T : A extends WebhookAuth ? Uint8Array : undefined;

/** A handler's context, inferred from its policy. */
export type RequestContext<R extends Route, A extends Auth, P, Q, B> = ContextOf<A, R> & {
  /** Decoded from the path by the route's template, through the schema if there is one. */
  readonly params: OutputOf<P, RouteParams<R>>;
  /** Through the schema; without one, as it came. */
  readonly query: OutputOf<Q, URLSearchParams>;
  readonly body: BodyOf<B, A>;
};
