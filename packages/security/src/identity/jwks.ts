import { type Clock, MedzenError } from '@medzen/core';
import { createLocalJWKSet, type JSONWebKeySet as JoseKeySet } from 'jose';
import { readBytes } from '../body/read-bytes.ts';
import type { JsonWebKeySet } from './json-web-key-set.ts';

/** Finds the key of a token's header. */
export type KeyLookup = ReturnType<typeof createLocalJWKSet>;

/** What a key source is asked with. */
export interface KeyDeps {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
}

/** The keys of one issuer. */
export interface KeySource {
  /**
   * @param refresh - the present keys lack the one that is needed: fetch again, unless that was done within the cool-down
   * @returns the present keys, and whether they are newer than at the last call
   * @throws MedzenError `provider_unavailable` when there are none
   */
  keys(deps: KeyDeps, refresh: boolean): Promise<{ readonly lookup: KeyLookup; readonly fetchedAt: number }>;
}

/** How long keys are used and how often they are asked for, in milliseconds. */
export interface KeyTimes {
  readonly maxAge: number;
  readonly cooldown: number;
  readonly staleIfError: number;
}

const fetchTimeoutMs = 5000;
const maxDocumentBytes = 256 * 1024;
const keyTypes: ReadonlySet<unknown> = new Set(['RSA', 'EC', 'OKP']);

/** Keys that never change. */
export function fixedKeys(set: JsonWebKeySet): KeySource {
  const lookup = lookupOf(set);
  return { keys: async () => ({ lookup, fetchedAt: 0 }) };
}

/**
 * Keys at a URL. Any number of waiting requests share one fetch; neither unknown key ids nor failures cause more than one
 * fetch a cool-down; while the issuer is down, the last keys serve until they are too stale.
 *
 * @param locate - the URL of the key set, found anew for each fetch
 */
export function remoteKeys(locate: (deps: KeyDeps) => Promise<URL>, times: KeyTimes): KeySource {
  let present: { readonly lookup: KeyLookup; readonly fetchedAt: number } | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let failure: unknown;
  let pending: Promise<void> | undefined;

  const fetchKeys = async (deps: KeyDeps): Promise<void> => {
    triedAt = deps.clock.now().getTime();
    try {
      const lookup = lookupOf(await fetchJson(await locate(deps), deps));
      present = { lookup, fetchedAt: deps.clock.now().getTime() };
      failure = undefined;
    } catch (error) {
      failure = error;
    } finally {
      pending = undefined;
    }
  };

  return {
    keys: async (deps, refresh) => {
      const now = deps.clock.now().getTime();
      // A clock that was set back must not keep old keys alive: any distance counts.
      const age = present === undefined ? Number.POSITIVE_INFINITY : Math.abs(now - present.fetchedAt);
      const due = refresh || age > times.maxAge;
      if (due && (pending !== undefined || Math.abs(now - triedAt) >= times.cooldown)) {
        pending ??= fetchKeys(deps);
        await pending;
      }
      const usable = present !== undefined && Math.abs(now - present.fetchedAt) <= times.maxAge + times.staleIfError;
      if (present !== undefined && usable) return present;
      throw new MedzenError('provider_unavailable', 'The keys of the identity provider cannot be had', {
        cause: failure,
        retryAfterSeconds: Math.ceil(times.cooldown / 1000),
      });
    },
  };
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
    signal: AbortSignal.timeout(fetchTimeoutMs),
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

/** Only public keys for signatures: a symmetric or encryption key in the set is not looked at. */
function lookupOf(set: object): KeyLookup {
  const { keys } = set as { readonly keys?: unknown }; // an object; its only member is checked next
  if (!Array.isArray(keys)) throw new MedzenError('provider_unavailable', 'Not a JWK Set');
  const fit = keys.filter(
    (key: unknown): key is JoseKeySet['keys'][number] =>
      typeof key === 'object' &&
      key !== null &&
      'kty' in key &&
      keyTypes.has(key.kty) &&
      !('d' in key) &&
      (!('use' in key) || key.use === 'sig'),
  );
  return createLocalJWKSet({ keys: fit });
}
