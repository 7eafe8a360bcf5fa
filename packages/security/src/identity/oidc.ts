import { MedzenError } from '@medzen/core';
import type { IdentityAuth } from './auth.ts';
import { readCompactToken, tokenOf } from './compact-token.ts';
import type { JsonWebKeySet } from './json-web-key-set.ts';
import { discover, fixedKeys, type KeySource, keyUrl, remoteKeys } from './jwks.ts';
import { type ResolveActor, resolveActor, toActor } from './resolve-actor.ts';
import { publicKeyAlgorithms, refuseUnverified, type TokenDemands, verifySignature } from './verify-token.ts';

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
 * ids refresh them at most once in the cool-down. Keys that are no longer fresh serve while they are fetched behind, and while the issuer is down
 * or hangs. Where several keys may have signed (one id twice, or none), each is tried, up to 16.
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
  const demands = checked(options);
  const source = keySource(options);
  const header = (options.header ?? 'authorization').toLowerCase();
  const resolve = options.resolveActor ?? resolveActor;
  return {
    kind: 'identity',
    authenticate: async (headers, deps) => {
      const raw = tokenOf(headers, header);
      if (raw === undefined) return { ok: false, reason: 'missing' };
      const token = readCompactToken(raw);
      if (typeof token === 'string') return { ok: false, reason: token };
      const early = refuseUnverified(token, demands, deps.clock.now().getTime() / 1000);
      if (early !== undefined) return { ok: false, reason: early };
      const late = await verifySignature(token, demands, source, {
        ...deps,
        fetch: options.fetch ?? deps.fetch,
      });
      if (late !== undefined) return { ok: false, reason: late };
      if (options.accept?.(token.claims) === false) return { ok: false, reason: 'refused' };
      const resolved = await resolve(token.claims);
      const actor = resolved === undefined ? undefined : toActor(resolved, deps.defaultTenant);
      if (actor === undefined) return { ok: false, reason: 'refused' };
      return { ok: true, actor, claims: token.claims, issuer: options.issuer };
    },
  };
}

function checked(options: OidcOptions): TokenDemands {
  const { issuer, clockSkewSeconds = 30, maxAgeSeconds, typ } = options;
  const refuse = (why: string): never => {
    throw new MedzenError('invalid_configuration', why);
  };
  const audiences = typeof options.audience === 'string' ? [options.audience] : [...options.audience];
  if (issuer === '') refuse('An issuer is needed');
  if (audiences.length === 0 || audiences.includes('')) refuse('An audience is needed');
  if (!(clockSkewSeconds >= 0 && clockSkewSeconds <= 60)) refuse('clockSkewSeconds must be 0–60');
  if (maxAgeSeconds !== undefined && !(maxAgeSeconds > 0)) refuse('maxAgeSeconds must be positive');
  const algorithms: readonly string[] = options.algorithms ?? ['RS256'];
  if (algorithms.length === 0 || !algorithms.every((name) => publicKeyAlgorithms.has(name)))
    refuse('Only public-key algorithms may be pinned');
  return { issuer, audiences, algorithms, skewSeconds: clockSkewSeconds, maxAgeSeconds, typ };
}

function keySource(options: OidcOptions): KeySource {
  const { jwks, issuer } = options;
  const times = {
    maxAge: 1000 * (options.jwksMaxAgeSeconds ?? 600),
    cooldown: 1000 * (options.jwksCooldownSeconds ?? 30),
    staleIfError: 1000 * (options.jwksStaleIfErrorSeconds ?? 86_400),
  };
  if (jwks === undefined) {
    keyUrl(issuer);
    return remoteKeys((deps) => discover(issuer, deps), times);
  }
  if (typeof jwks === 'object' && 'keys' in jwks) return fixedKeys(jwks);
  const url = keyUrl(jwks);
  return remoteKeys(async () => url, times);
}
