import { MedzenError } from '@medzen/core';
import type { IdentityAuth } from './auth.ts';
import type { ResolveActor } from './resolve-actor.ts';

/** Signature algorithms that may be pinned: public-key only, so that a published key can never forge a token. */
export type TokenAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519';

/** A JWK Set (RFC 7517). */
export interface JsonWebKeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** One issuer of tokens and what is demanded of them. */
export interface OidcOptions {
  /** `iss`, compared character for character. */
  readonly issuer: string;
  /** `aud` must be, or contain, one of these. */
  readonly audience: string | readonly string[];
  /**
   * Where the keys are: a URL of a JWK Set, or the set itself. Absent = asked of `<issuer>/.well-known/openid-configuration`.
   * URLs are https, or http on loopback.
   */
  readonly jwks?: string | URL | JsonWebKeySet;
  /** Default `['RS256']`. */
  readonly algorithms?: readonly TokenAlgorithm[];
  /**
   * The header that carries the token. `authorization` (default) wants `Bearer <token>`; any other the bare token, with
   * or without `Bearer`.
   */
  readonly header?: string;
  /**
   * Demands this `typ` of the token's header (`'at+jwt'` of RFC 9068, say). Absent: no `typ`, `JWT` and `at+jwt` pass,
   * so that a logout or DPoP token of the same issuer does not.
   */
  readonly typ?: string;
  /** Leeway for `exp`, `nbf` and `iat`. 0–60, default 30. */
  readonly clockSkewSeconds?: number;
  /** Refuses tokens issued longer ago, whatever `exp` says. */
  readonly maxAgeSeconds?: number;
  /** Checks of the issuer's own claims; false refuses. */
  readonly accept?: (claims: Readonly<Record<string, unknown>>) => boolean;
  /** Default: {@link resolveActor}. */
  readonly resolveActor?: ResolveActor;
  /** For the keys; default: the guard's. */
  readonly fetch?: typeof fetch;
  /** Seconds for which fetched keys are fresh. Default 600. */
  readonly jwksMaxAgeSeconds?: number;
  /** Seconds between two fetches that unknown key ids or failures may cause. Default 30. */
  readonly jwksCooldownSeconds?: number;
  /** Seconds for which old keys still serve while the issuer does not answer. Default 86 400. */
  readonly jwksStaleIfErrorSeconds?: number;
}

/**
 * Identity by the signed tokens of one issuer (OpenID Connect or any OAuth 2 issuer of JWTs).
 *
 * Only the strict compact form is read. Algorithm, issuer, audience and type are pinned before a key is looked up, so a
 * token of another issuer never causes a request. Keys are fetched once for any number of waiting requests; unknown key
 * ids refresh them at most once in the cool-down; while the issuer is down the last keys serve.
 *
 * @throws MedzenError `invalid_configuration`
 * @see RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best current practice), RFC 9068
 * @example
 * ```ts
 * import { oidc } from '@medzen/security';
 * const auth = oidc({
 *   issuer: 'https://id.clinic.example/',
 *   audience: 'https://api.clinic.example',
 *   jwks: 'https://id.clinic.example/.well-known/jwks.json',
 *   algorithms: ['RS256'],
 * });
 * auth.kind; // 'identity'
 * ```
 */
export function oidc(options: OidcOptions): IdentityAuth {
  if (options.issuer === '') throw new MedzenError('invalid_configuration', 'An issuer is needed');
  throw new MedzenError('internal', 'Being written');
}
