import type { Actor, Clock, Logger } from '@medzen/core';
import type { WebhookRequest, WebhookVerdict } from '@medzen/core/webhooks';

/** Claims of a verified token, as the issuer wrote them. */
export type Claims = Readonly<Record<string, unknown>>;

/** Reason credentials were rejected. Goes to the audit event and the host's log; the client gets a bare 401. */
export type AuthFailure =
  | 'missing'
  | 'malformed'
  | 'too_large'
  | 'algorithm'
  | 'type'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not_yet_valid'
  | 'claims'
  | 'unknown_key'
  | 'signature'
  | 'refused';

/** Result of an authenticator. */
export type AuthVerdict =
  | { readonly ok: true; readonly actor: Actor; readonly claims: Claims; readonly issuer: string }
  | { readonly ok: false; readonly reason: AuthFailure };

/** Dependencies the guard passes to an authenticator. */
export interface AuthDeps {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** The tenant of an identity that names none. */
  readonly defaultTenant: string;
  /** Is told what the caller is not: keys that could not be fetched. */
  readonly logger?: Pick<Logger, 'warn'>;
  /** Lets work outlive the request. */
  readonly waitUntil?: (work: Promise<unknown>) => void;
}

/** A way to tell who calls: `oidc(…)`, `firebase(…)`, `anyOf(…)`, or the host's own. */
export interface IdentityAuth {
  readonly kind: 'identity';
  /**
   * @returns a verdict; never throws on hostile input
   * @throws MedzenError `provider_unavailable` when the issuer's keys are unavailable: the caller then gets 502, not 401
   */
  authenticate(headers: Headers, deps: AuthDeps): Promise<AuthVerdict>;
}

/** A route open to anyone, with the reason written down. Made by `publicRoute`. */
export interface PublicAuth {
  readonly kind: 'public';
  readonly why: string;
}

/**
 * A route that only a signed webhook may call. Made by `webhook`.
 *
 * @typeParam E - what `verify` reads from the bytes that it verified
 */
export interface WebhookAuth<E = unknown> {
  readonly kind: 'webhook';
  /** Becomes the actor's id: `webhook:twilio`. */
  readonly name: string;
  /** Bytes that are read before the signature is checked. */
  readonly maxBytes: number;
  verify(request: WebhookRequest): WebhookVerdict<E> | Promise<WebhookVerdict<E>>;
}

/** Everything that may stand as a policy's `auth`. */
export type Auth = IdentityAuth | PublicAuth | WebhookAuth;
