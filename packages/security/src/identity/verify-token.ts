import { compactVerify } from 'jose';
import type { AuthFailure } from './auth.ts';
import type { CompactToken } from './compact-token.ts';
import type { KeyDeps, KeySource } from './jwks.ts';
import type { KeySet } from './key-set.ts';

/** Requirements on every token of one issuer. */
export interface TokenDemands {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly skewSeconds: number;
  readonly maxAgeSeconds: number | undefined;
  readonly typ: string | undefined;
}

/** Algorithms that may be pinned. */
export const publicKeyAlgorithms: ReadonlySet<string> = new Set([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]);

/**
 * Everything that can be said without a key, so that a token which must fail never causes a request for one.
 *
 * @param now - seconds
 * @returns why the token is refused, or undefined
 */
export function refuseUnverified(token: CompactToken, demands: TokenDemands, now: number): AuthFailure | undefined {
  const { header, claims } = token;
  if (typeof header.alg !== 'string' || !demands.algorithms.includes(header.alg)) return 'algorithm';
  // Extensions change what a signature means (RFC 7797's b64, say); none is understood here.
  if ('crit' in header || 'b64' in header || 'enc' in header) return 'malformed';
  if ('kid' in header && (typeof header.kid !== 'string' || header.kid.length > 256)) return 'malformed';
  if (!typeFits(header.typ, demands.typ)) return 'type';
  if (claims.iss !== demands.issuer) return 'issuer';
  const audience = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (!audience.some((name) => demands.audiences.includes(name))) return 'audience';
  return refuseTimes(claims, demands, now);
}

function refuseTimes(claims: CompactToken['claims'], demands: TokenDemands, now: number): AuthFailure | undefined {
  const { exp, nbf, iat } = claims;
  const { skewSeconds: skew, maxAgeSeconds } = demands;
  if (typeof exp !== 'number') return 'claims';
  if (nbf !== undefined && typeof nbf !== 'number') return 'claims';
  if (iat !== undefined && typeof iat !== 'number') return 'claims';
  if (now >= exp + skew) return 'expired';
  if (nbf !== undefined && nbf > now + skew) return 'not_yet_valid';
  if (iat !== undefined && iat > now + skew) return 'not_yet_valid';
  if (maxAgeSeconds === undefined) return undefined;
  if (iat === undefined) return 'claims';
  return now - iat > maxAgeSeconds + skew ? 'expired' : undefined;
}

function typeFits(given: unknown, demanded: string | undefined): boolean {
  if (given === undefined) return demanded === undefined;
  if (typeof given !== 'string') return false;
  const short = (type: string): string => type.toLowerCase().replace(/^application\//, '');
  return demanded === undefined ? ['jwt', 'at+jwt'].includes(short(given)) : short(given) === short(demanded);
}

/**
 * @returns why the signature does not hold, or undefined
 * @throws MedzenError `provider_unavailable`
 */
export async function verifySignature(
  token: CompactToken,
  demands: TokenDemands,
  source: KeySource,
  deps: KeyDeps,
): Promise<AuthFailure | undefined> {
  const first = await source.keys(deps, false);
  const verdict = await verifyWith(token, demands, first);
  if (verdict === undefined || first.has(keyIdOf(token))) return verdict;
  const second = await source.keys(deps, true);
  return second === first ? verdict : verifyWith(token, demands, second);
}

/** Tries each key that may have signed. */
async function verifyWith(token: CompactToken, demands: TokenDemands, keys: KeySet): Promise<AuthFailure | undefined> {
  let verdict: AuthFailure = 'unknown_key';
  for (const lookup of keys.candidates(keyIdOf(token))) {
    try {
      await compactVerify(token.token, lookup, { algorithms: [...demands.algorithms] });
      return undefined;
    } catch (error) {
      const { code } = error as { readonly code?: unknown }; // every error of jose has one
      // A key of the issuer that cannot be used (too short, say) verifies nothing.
      if (code !== 'ERR_JWKS_NO_MATCHING_KEY') verdict = 'signature';
    }
  }
  return verdict;
}

function keyIdOf({ header: { kid } }: CompactToken): string | undefined {
  return typeof kid === 'string' ? kid : undefined;
}
