import {
  equalBytes,
  MedzenError,
  type ObjectHead,
  type PutObjectOptions,
  sha256,
  sha256Hasher,
  toHex,
} from '@medzen/core';
import { headOfVersion, newestOf } from './list-versions.ts';
import { baseOf, checkKey, versionAfter } from './object-name.ts';
import { chunksOf, readObject } from './read-object.ts';
import type { Bucket } from './storage-client.ts';
import { told } from './storage-error.ts';

// Nothing of a recording is to stay in a CDN after its deletion.
const headers = { 'cache-control': 'private, no-store' };

/**
 * Stores a version: its bytes under a name of their own, then, when they are what they should be, the mark that makes it one. A
 * crash before that leaves bytes that `abortUploads` finds.
 */
export async function putObject(
  bucket: Bucket,
  key: string,
  body: Uint8Array | ReadableStream<Uint8Array>,
  options: PutObjectOptions,
): Promise<ObjectHead> {
  check(key, options);
  const { contentType, signal } = options;
  const counted = body instanceof Uint8Array ? countedBytes(body, options) : countedStream(body, options);
  let name = '';
  try {
    const { version: newest } = await newestOf(bucket, key);
    const version = versionAfter(newest, bucket.random());
    const api = await bucket.api();
    signal?.throwIfAborted();
    name = `${baseOf(key)}.${version}`;
    const upload = { contentType, upsert: false, headers } as const;
    await told(() => api.upload(name, counted.body, upload));
    const { size, digest } = counted.result();
    signal?.throwIfAborted();
    if (bucket.readBack) await compare(bucket, name, digest, options);
    // The key in full: its name may have been cut. Of the same type, in case the bucket allows no other.
    await told(() => api.upload(`${name}.${toHex(digest)}`, new TextEncoder().encode(key), upload));
    const head = await headOfVersion(bucket, key, `${version}.${toHex(digest)}`);
    if (head === undefined) throw new MedzenError('store_unavailable', 'Storage does not show what it stored');
    if (head.size !== size || head.contentType !== contentType)
      throw new MedzenError('checksum_mismatch', 'Storage has another size or type than was put');
    signal?.throwIfAborted();
    return head;
  } catch (error) {
    const failure = counted.failure() ?? error;
    await counted.letGo();
    if (name !== '') await withdraw(bucket, name);
    signal?.throwIfAborted();
    throw failure;
  }
}

/** Takes back what a failed put has left. What cannot be taken back now is found by `abortUploads`, or by a listing. */
async function withdraw(bucket: Bucket, name: string): Promise<void> {
  try {
    const api = await bucket.api();
    await told(() => api.remove([name]));
    const { objects } = await told(() => api.listV2({ prefix: `${name}.`, limit: 2 }));
    if (objects.length > 0) await told(() => api.remove(objects.map((row) => row.name)));
  } catch {
    // the first failure is the one to tell
  }
}

function check(key: string, { contentType, contentLength, sha256, ifExists, signal }: PutObjectOptions): void {
  checkKey(key);
  if (!/^[\x20-\x7e]+$/.test(contentType))
    throw new MedzenError('invalid_input', 'contentType must be non-empty printable ASCII');
  if (contentLength !== undefined && !(Number.isSafeInteger(contentLength) && contentLength >= 0))
    throw new MedzenError('invalid_input', 'contentLength must be an integer ≥ 0');
  if (sha256 !== undefined && sha256.length !== 32) throw new MedzenError('invalid_input', 'A SHA-256 has 32 bytes');
  if (ifExists === 'refuse')
    throw new MedzenError('invalid_input', 'Storage cannot refuse in one step where a version exists');
  signal?.throwIfAborted();
}

interface Counted {
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
  /** @throws MedzenError `store_unavailable` unless the source was read to its end */
  result(): { readonly size: number; readonly digest: Uint8Array };
  /** What went wrong on this side of the upload, which the upload's own error does not say. */
  failure(): unknown;
  letGo(): Promise<void>;
}

function checkSent({ contentLength, sha256 }: PutObjectOptions, size: number, digest: Uint8Array): void {
  if (size !== (contentLength ?? size)) throw otherLength();
  if (sha256 !== undefined && !equalBytes(digest, sha256))
    throw new MedzenError('checksum_mismatch', 'The bytes do not have the SHA-256 that was announced');
}

const otherLength = (): MedzenError =>
  new MedzenError('checksum_mismatch', 'Number of received bytes does not match contentLength');

function countedBytes(body: Uint8Array, options: PutObjectOptions): Counted {
  const digest = sha256(body);
  checkSent(options, body.length, digest);
  const result = () => ({ size: body.length, digest });
  return { body, result, failure: () => undefined, letGo: async () => undefined };
}

/** The source, hashed as it passes. It fails before its end when the bytes are not those announced, so that no upload ends well. */
function countedStream(body: ReadableStream<Uint8Array>, options: PutObjectOptions): Counted {
  const { contentLength = Number.POSITIVE_INFINITY, signal } = options;
  const stop = new AbortController();
  const source = chunksOf(body, signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]));
  const hasher = sha256Hasher();
  let size = 0;
  let digest: Uint8Array | undefined;
  let failure: unknown;
  const next = async (): Promise<Uint8Array | undefined> => {
    const { done, value } = await source.next();
    if (done === true) {
      digest = hasher.digest();
      checkSent(options, size, digest);
      return undefined;
    }
    size += value.length;
    if (size > contentLength) throw otherLength();
    hasher.update(value);
    return value;
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const chunk = await next();
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        } catch (error) {
          failure = error;
          digest = undefined;
          stop.abort();
          throw error;
        }
      },
      cancel: () => stop.abort(),
    },
    { highWaterMark: 0 },
  );
  return {
    body: stream,
    result: () => {
      if (digest === undefined) throw new MedzenError('store_unavailable', 'Storage did not read all bytes');
      return { size, digest };
    },
    failure: () => failure,
    letGo: async () => {
      stop.abort(); // also frees a read that waits for a source that has stalled
      if (!body.locked) await body.cancel().catch(() => undefined); // nothing was read yet
    },
  };
}

async function compare(
  bucket: Bucket,
  name: string,
  digest: Uint8Array,
  { signal, moved }: PutObjectOptions,
): Promise<void> {
  const body = await readObject(bucket, name);
  if (body === undefined) throw new MedzenError('store_unavailable', 'Storage does not show what it stored');
  const hasher = sha256Hasher();
  for await (const chunk of chunksOf(body, signal)) {
    hasher.update(chunk);
    moved?.();
  }
  if (!equalBytes(hasher.digest(), digest))
    throw new MedzenError('checksum_mismatch', 'Storage has other bytes than were put');
}
