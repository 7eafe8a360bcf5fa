import { MedzenError } from '@medzen/core';
import type { Bucket } from './storage-client.ts';
import { isAbsent, told } from './storage-error.ts';

/** Long enough to begin a download, which then goes on. */
const seconds = 60;

/**
 * The bytes of a name, or a part of them. Through a link, because storage-js offers no range; the link stays in this process.
 *
 * @param range - inclusive offsets within the object
 * @returns undefined when it is not there
 */
export async function readObject(
  bucket: Bucket,
  name: string,
  range?: { readonly first: number; readonly last: number },
): Promise<ReadableStream<Uint8Array> | undefined> {
  const api = await bucket.api();
  const link = await api.createSignedUrl(name, seconds).then(
    (answer) => answer,
    (error: unknown) => ({ data: null, error }),
  );
  if (isAbsent(link.error)) return undefined;
  const { signedUrl } = await told(async () => link);
  const headers: Record<string, string> = range === undefined ? {} : { range: `bytes=${range.first}-${range.last}` };
  let response: Response;
  try {
    response = await bucket.fetch(signedUrl, { headers });
  } catch {
    throw new MedzenError('store_unavailable', 'Storage could not be reached'); // the error may quote the link
  }
  if (response.status === (range === undefined ? 200 : 206)) return response.body ?? new Blob([]).stream();
  await response.body?.cancel();
  throw new MedzenError('store_unavailable', 'Storage did not give the bytes that were asked for');
}

/** All bytes of a small object. */
export async function readWhole(bucket: Bucket, name: string): Promise<Uint8Array> {
  const body = await readObject(bucket, name);
  if (body === undefined) throw new MedzenError('store_unavailable', 'An object was deleted meanwhile');
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(body)) chunks.push(chunk);
  return new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer()); // of a response: plain buffers
}

/**
 * Chunk by chunk; lets go of the stream on every way out. Not every runtime's streams can be iterated.
 *
 * @param signal - when aborted, the stream is cancelled and its reason thrown
 */
export async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  const letGo = (): Promise<void> => reader.cancel(signal?.reason).catch(() => undefined); // what fails then has nothing to add
  const abort = (): void => void letGo();
  signal?.addEventListener('abort', abort, { once: true });
  let ended = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      ended = done;
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    if (!ended) await letGo();
  }
}
