import { type CompactJWSHeaderParameters, createLocalJWKSet, type FlattenedJWSInput, type JWK } from 'jose';

/** Finds the key of a token's header, as jose asks for it. */
type KeyLookup = ReturnType<typeof createLocalJWKSet>;

/** Public keys for signatures, by their ids. */
export interface KeySet {
  /** Number of keys. */
  readonly size: number;
  /**
   * True when the set has a key with this id: only then is a signature that no key matches certain to be wrong,
   * whatever keys the issuer has by now.
   */
  has(kid: string | undefined): boolean;
  /**
   * The keys that may have signed a token, at most {@link maxCandidates}: those of its key id, then those without one; every key when the token
   * names none. Each says itself whether algorithm and type fit.
   */
  candidates(kid: string | undefined): readonly KeyLookup[];
}

/** Keys tried for one token. No issuer has more with one id, or without an id. */
export const maxCandidates = 16;

/** Members that a key of each type must have (RFC 7518 §6, RFC 8037 §2). */
const material: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['RSA', ['n', 'e']],
  ['EC', ['crv', 'x', 'y']],
  ['OKP', ['crv', 'x']],
]);

/**
 * Reads a JWK Set. Only public keys for signatures: a symmetric or encryption key in the set is not looked at.
 *
 * @param set - a parsed document
 * @returns undefined for what is no JWK Set
 * @see RFC 7517 §5: ids need not be unique, nor be there
 */
export function readKeySet(set: object): KeySet | undefined {
  const { keys } = set as { readonly keys?: unknown }; // an object; its only member is checked next
  if (!Array.isArray(keys)) return undefined;
  const all: KeyLookup[] = [];
  const named = new Map<string, KeyLookup[]>();
  const nameless: KeyLookup[] = [];
  for (const key of keys as readonly unknown[]) {
    if (!fits(key)) continue;
    const { kid, ...rest } = key;
    if (typeof kid === 'string') {
      const lookup = createLocalJWKSet({ keys: [key] });
      all.push(lookup);
      named.set(kid, [...(named.get(kid) ?? []), lookup]);
      continue;
    }
    const only = createLocalJWKSet({ keys: [rest] });
    const lookup = (
      { kid: _, ...header }: CompactJWSHeaderParameters,
      token: FlattenedJWSInput,
    ): ReturnType<KeyLookup> => only(header, token);
    all.push(lookup as KeyLookup); // of its members only the call is used
    nameless.push(lookup as KeyLookup); // as above
  }
  return {
    size: all.length,
    has: (kid) => kid !== undefined && named.has(kid),
    candidates: (kid) => (kid === undefined ? all : [...(named.get(kid) ?? []), ...nameless]).slice(0, maxCandidates),
  };
}

function fits(key: unknown): key is JWK {
  if (typeof key !== 'object' || key === null) return false;
  const { kty, use, key_ops: operations, d, ...members } = key as Readonly<Record<string, unknown>>; // each is checked next
  const needed = material.get(kty);
  if (needed === undefined || d !== undefined || (use !== undefined && use !== 'sig')) return false;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return false;
  return needed.every((name) => typeof members[name] === 'string' && /^[\w-]+$/.test(members[name]));
}
