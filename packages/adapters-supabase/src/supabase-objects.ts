import {
  type Clock,
  MedzenError,
  type ObjectStore,
  type PresignedUrl,
  type PresignOptions,
  type Random,
  systemClock,
  systemRandom,
} from '@medzen/core';
import { deleteVersions, removeNames } from './objects/delete-versions.ts';
import { headOfVersion, listVersions, newestOf, unfinishedUnder } from './objects/list-versions.ts';
import { checkKey, namesOf } from './objects/object-name.ts';
import { putObject } from './objects/put-object.ts';
import { readObject } from './objects/read-object.ts';
import type { Bucket, StorageBucketLike, SupabaseStorageLike } from './objects/storage-client.ts';
import { isAbsent, told } from './objects/storage-error.ts';
import { claimsOf } from './person-token.ts';

/** Where objects are kept, and how. */
export interface SupabaseObjectsOptions {
  /** A private bucket, without Storage's own versioning, for nothing but this. */
  readonly bucket: string;
  /**
   * Names the service in `location`. Give one when two projects have a bucket of the same name. Default `supabase`. 1–64 characters.
   */
  readonly store?: string;
  /**
   * Reads back each put and compares SHA-256. Default true, because Storage keeps no SHA-256. False saves egress and
   * compares size and type only.
   */
  readonly readBack?: boolean;
  /** Reads through links. Default: the global one. */
  readonly fetch?: typeof fetch;
  readonly random?: Random;
  /** For looking at the bucket again now and then. Default: the machine's. */
  readonly clock?: Clock;
}

/**
 * Keeps objects in Supabase Storage, through supabase-js. Each version is an object of its own, since only then deleting one removes its
 * bytes and nothing else.
 *
 * What it cannot do: `ifExists: 'refuse'` (Storage has no such step), a file name for playback or another type than the object's in
 * a link, `encryption` in a head (Storage does not tell). The bucket must be private, and is looked at before the
 * first call and once a minute: a public one, or one with Storage's versioning, whose deletions leave the bytes, is refused.
 *
 * @param client - made with a key of `service_role`, which must stay on the server
 * @param options - the bucket
 * @returns the store; every method also throws `invalid_configuration` for a bucket that will not do
 * @see https://supabase.com/docs/guides/storage
 * @example
 * ```ts
 * import { supabaseObjects } from '@medzen/adapters-supabase';
 * import { createClient } from '@supabase/supabase-js';
 * const client = createClient('https://clinic.supabase.co', 'sb_secret_…', { auth: { persistSession: false } });
 * const objects = supabaseObjects(client, { bucket: 'recordings' });
 * ```
 */
export function supabaseObjects(client: SupabaseStorageLike, options: SupabaseObjectsOptions): ObjectStore {
  const { bucket: id, store = 'supabase', readBack = true, random = systemRandom } = options;
  if (id === '') throw new MedzenError('invalid_configuration', 'The bucket has no name');
  if (store.length < 1 || store.length > 64)
    throw new MedzenError('invalid_configuration', 'store must have 1 to 64 characters');
  const bucket: Bucket = {
    api: lookedAt(client, id, options.clock ?? systemClock),
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    random: () => random.bytes(8),
    readBack,
  };
  const head: ObjectStore['head'] = async (key, versionId) =>
    versionId === undefined ? (await newestOf(bucket, key)).head : headOfVersion(bucket, key, versionId);
  return {
    location: { store, bucket: id },
    put: (key, body, put) => putObject(bucket, key, body, put),
    head: (key, versionId, { signal } = {}) => until(signal, () => head(key, versionId)),
    get: async (key, { versionId, range, signal } = {}) => {
      signal?.throwIfAborted();
      const found = await head(key, versionId);
      const bytes = found === undefined ? undefined : namesOf(key, found.versionId)?.bytes;
      if (found === undefined || bytes === undefined) return undefined;
      const body = await readObject(bucket, bytes, spanOf(range, found.size));
      return body === undefined ? undefined : { head: found, body };
    },
    listVersions: (prefix, page) => until(page?.signal, () => listVersions(bucket, prefix, page)),
    deleteVersions: async (versions, { signal } = {}) =>
      versions.length === 0
        ? { deleted: [], errors: [] }
        : until(signal, () => deleteVersions(bucket, versions, signal)),
    abortUploads: (prefix, { signal } = {}) =>
      until(signal, async () => {
        const names = await unfinishedUnder(bucket, prefix);
        const api = await bucket.api();
        let aborted = 0;
        for (let at = 0; at < names.length; at += 200) {
          signal?.throwIfAborted();
          aborted += (await removeNames(api, names.slice(at, at + 200))).size;
        }
        return aborted;
      }),
    presignGet: (key, link) => presignGet(bucket, key, link),
  };
}

/** supabase-js takes no signal for these calls: the wait ends, and what was asked goes on by itself. */
async function until<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  if (signal === undefined) return work();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([promise, work()]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** After it the bucket is looked at again: it may have been made public since, or its versioning been switched on. */
const lookAgainMs = 60_000;

/** Looks at the bucket before the first call, after a failure, and once a minute while it is used. */
function lookedAt(client: SupabaseStorageLike, id: string, clock: Clock): Bucket['api'] {
  const api: StorageBucketLike = client.storage.from(id);
  let looked: Promise<void> | undefined;
  let since = 0;
  const look = async (): Promise<void> => {
    const found = await told(() => client.storage.getBucket(id));
    if (found.public) throw new MedzenError('invalid_configuration', 'The bucket is public; make it private');
    if (found.versioning_status !== undefined && found.versioning_status !== 'DISABLED')
      throw new MedzenError(
        'invalid_configuration',
        "The bucket has Storage's versioning, whose deletions leave the bytes",
      );
  };
  return async () => {
    const now = clock.now().getTime();
    // A clock that was set back looks again too.
    if (looked === undefined || Math.abs(now - since) > lookAgainMs) {
      looked = look();
      since = now;
    }
    try {
      await looked;
    } catch (error) {
      looked = undefined;
      throw error;
    }
    return api;
  };
}

function spanOf(
  range: { readonly first: number; readonly last?: number } | undefined,
  size: number,
): { readonly first: number; readonly last: number } | undefined {
  if (range === undefined) return undefined;
  const { first, last = Number.MAX_SAFE_INTEGER } = range;
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 0 || last < first || first >= size)
    throw new MedzenError('invalid_input', 'The range is not within the object');
  return { first, last: Math.min(last, size - 1) };
}

/**
 * Storage signs for a path, and offers of header fields only `attachment` with a name. An `inline` name is left out, since it says
 * nothing to a player; another type cannot be had.
 */
async function presignGet(bucket: Bucket, key: string, link: PresignOptions): Promise<PresignedUrl> {
  checkKey(key);
  const { versionId, expiresInSeconds, contentDisposition = 'inline' } = link;
  if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > 604_800)
    throw new MedzenError('invalid_input', 'expiresInSeconds must be an integer from 1 to 604800 (7 days)');
  if (!/^[\x20-\x7e]+$/.test(contentDisposition))
    throw new MedzenError('invalid_input', 'contentDisposition must be non-empty printable ASCII');
  const download = /^attachment\b/i.test(contentDisposition)
    ? (/;\s*filename="([^"\\]+)"/i.exec(contentDisposition)?.[1] ?? 'download')
    : undefined;
  const name = namesOf(key, versionId)?.bytes;
  const api = await bucket.api();
  const answer = await (name === undefined
    ? undefined
    : api.createSignedUrl(name, expiresInSeconds, download === undefined ? {} : { download }));
  if (answer === undefined || isAbsent(answer.error)) throw new MedzenError('not_found', 'There is no such version');
  const { signedUrl } = await told(async () => answer);
  const token = new URL(signedUrl).searchParams.get('token') ?? '';
  const exp = claimsOf(token)?.exp;
  if (typeof exp !== 'number') throw new MedzenError('store_unavailable', 'Storage gave a link of another form');
  return { url: signedUrl, expiresAt: new Date(exp * 1000) };
}
