import { type Clock, errorFields, type Logger, MedzenError, withDeadline } from '@medzen/core';
import { readBytes } from '../body/read-bytes.ts';
import type { JsonWebKeySet } from './json-web-key-set.ts';
import { type KeySet, readKeySet } from './key-set.ts';

/** Dependencies of a key source. */
export interface KeyDeps {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Is told of keys that could not be fetched. */
  readonly logger?: Pick<Logger, 'warn'>;
  /** Lets a fetch outlive the request that began it, where the platform ends what a request leaves behind. */
  readonly waitUntil?: (work: Promise<unknown>) => void;
}

/** The keys of one issuer. */
export interface KeySource {
  /**
   * @param refresh - the present keys lack the one that is needed: fetch again, unless that was done within the cool-down
   * @returns the present keys; another object once they were fetched anew
   * @throws MedzenError `provider_unavailable` when there are none
   */
  keys(deps: KeyDeps, refresh: boolean): Promise<KeySet>;
}

/** Key cache times in milliseconds. */
export interface KeyTimes {
  readonly maxAge: number;
  readonly cooldown: number;
  readonly staleIfError: number;
}

/** For discovery and keys together. */
const fetchTimeoutMs = 5000;
const lostAfterMs = 2 * fetchTimeoutMs;
const maxDocumentBytes = 256 * 1024;

/**
 * Keys that never change.
 *
 * @throws MedzenError `invalid_configuration` for a set without a public key for signatures
 */
export function fixedKeys(set: JsonWebKeySet): KeySource {
  const keys = readKeySet(set);
  if (keys === undefined || keys.size === 0)
    throw new MedzenError('invalid_configuration', 'jwks must hold at least one public key for signatures');
  return { keys: async () => keys };
}

/**
 * Keys at a URL. Any number of waiting requests share one fetch; neither unknown key ids nor failures cause more than one
 * fetch a cool-down. Keys past their age serve at once while they are fetched behind, and on while that fails, until they are too stale: who
 * presents a good token of a known key never waits for the issuer. An empty key set is a failed fetch.
 *
 * @param locate - the URL of the key set, found anew for each fetch
 */
export function remoteKeys(locate: (deps: KeyDeps) => Promise<URL>, times: KeyTimes): KeySource {
  let present: { readonly keys: KeySet; readonly fetchedAt: number } | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let failure: unknown;
  let pending: Promise<void> | undefined;

  const fetchKeys = async (deps: KeyDeps): Promise<void> => {
    try {
      const limit = { ms: fetchTimeoutMs, what: 'The identity provider', code: 'provider_unavailable' } as const;
      const document = await withDeadline(limit, async (signal) => {
        const bounded: KeyDeps = { ...deps, fetch: (input, init) => deps.fetch(input, { ...init, signal }) };
        return fetchJson(await locate(bounded), bounded);
      });
      const keys = readKeySet(document);
      if (keys === undefined || keys.size === 0)
        throw new MedzenError('provider_unavailable', 'The identity provider answered no key for signatures');
      present = { keys, fetchedAt: deps.clock.now().getTime() };
      failure = undefined;
    } catch (error) {
      failure = error;
      deps.logger?.warn('The keys of the identity provider could not be fetched', {
        ...errorFields(error),
        serving: present === undefined ? 'nothing' : 'the last keys',
      });
    }
  };

  /** Begins a fetch, unless one is under way or was just tried. */
  const begin = (deps: KeyDeps): void => {
    const since = Math.abs(deps.clock.now().getTime() - triedAt);
    // A platform that ended the request may have taken the fetch with it: it is not waited for again.
    if (pending !== undefined && since < lostAfterMs) return;
    if (since < times.cooldown) return;
    triedAt = deps.clock.now().getTime();
    const work: Promise<void> = fetchKeys(deps).finally(() => {
      if (pending === work) pending = undefined;
    });
    pending = work;
    deps.waitUntil?.(work);
  };

  return {
    keys: async (deps, refresh) => {
      // A clock that was set back must not keep old keys alive: any distance counts.
      const age = (): number =>
        present === undefined ? Number.POSITIVE_INFINITY : Math.abs(deps.clock.now().getTime() - present.fetchedAt);
      if (refresh || age() > times.maxAge) begin(deps);
      const stale = times.maxAge + times.staleIfError;
      if (pending !== undefined && (refresh || age() > stale)) await boundedly(pending);
      if (present !== undefined && age() <= stale) return present.keys;
      throw new MedzenError('provider_unavailable', 'The keys of the identity provider are unavailable; retry later', {
        cause: failure,
        retryAfterSeconds: Math.ceil(times.cooldown / 1000),
      });
    },
  };
}

/** Waits for a fetch, which tells its failure itself, and no longer than one may take: its timer may have gone with the request that began it. */
async function boundedly(fetching: Promise<void>): Promise<void> {
  const limit = { ms: lostAfterMs, what: 'The identity provider', code: 'provider_unavailable' } as const;
  await withDeadline(limit, () => fetching).catch(() => undefined);
}

/**
 * The URL of an issuer's keys by OpenID Connect Discovery.
 *
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
 */
export async function discover(issuer: string, deps: KeyDeps): Promise<URL> {
  const document = await fetchJson(keyUrl(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`), deps);
  const { issuer: named, jwks_uri: uri } = document as { readonly issuer?: unknown; readonly jwks_uri?: unknown }; // an object, by fetchJson
  if (named !== issuer || typeof uri !== 'string')
    throw new MedzenError('provider_unavailable', 'The discovery document is of another issuer');
  return keyUrl(uri);
}

/**
 * A URL that keys may come from.
 *
 * @throws MedzenError `invalid_configuration` unless https, or http on loopback
 */
export function keyUrl(text: string | URL): URL {
  const url = URL.canParse(String(text)) ? new URL(text) : undefined;
  const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url?.hostname ?? '');
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && loopback)))
    throw new MedzenError('invalid_configuration', 'Keys come by https, or by http from loopback');
  return url;
}

async function fetchJson(url: URL, deps: KeyDeps): Promise<object> {
  // A redirect could lead anywhere; the host names the right place instead.
  const response = await deps.fetch(url, {
    headers: { accept: 'application/json, application/jwk-set+json' },
    redirect: 'manual',
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new MedzenError('provider_unavailable', `The identity provider answered ${response.status}`);
  }
  const bytes = await readBytes(response.body, maxDocumentBytes);
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (typeof value !== 'object' || value === null)
    throw new MedzenError('provider_unavailable', 'The identity provider answered no object');
  return value;
}
