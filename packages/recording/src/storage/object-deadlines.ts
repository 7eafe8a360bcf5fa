import { MedzenError, type ObjectStore, type PutObjectOptions, withDeadline } from '@medzen/core';
import type { Timeouts } from '../deadline.ts';

const what = 'The object store';

/**
 * Gives every call of an object store a deadline, also when the store itself looks at no signal. A put may take as long as it moves: its
 * deadline begins anew with every chunk that the store takes.
 *
 * @param timeouts - of each call, and of how long a put may stand still
 */
export function withObjectDeadlines(
  store: ObjectStore,
  { objectsMs: ms, stallMs }: Pick<Required<Timeouts>, 'objectsMs' | 'stallMs'>,
): ObjectStore {
  const bounded = <T>(outer: AbortSignal | undefined, call: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    withDeadline({ ms, signal: outer, what }, call);
  return {
    location: store.location,
    put: (key, body, options) => putWhileItMoves(store, stallMs, key, body, options),
    head: (key, versionId, options) => bounded(options?.signal, (signal) => store.head(key, versionId, { signal })),
    get: (key, options) => bounded(options?.signal, (signal) => store.get(key, { ...options, signal })),
    listVersions: (prefix, options) =>
      bounded(options?.signal, (signal) => store.listVersions(prefix, { ...options, signal })),
    deleteVersions: (versions, options) =>
      bounded(options?.signal, (signal) => store.deleteVersions(versions, { signal })),
    abortUploads: (prefix, options) => bounded(options?.signal, (signal) => store.abortUploads(prefix, { signal })),
    presignGet: (key, options) => bounded(undefined, () => store.presignGet(key, options)),
  };
}

async function putWhileItMoves(
  store: ObjectStore,
  ms: number,
  key: string,
  body: Uint8Array | ReadableStream<Uint8Array>,
  options: PutObjectOptions,
): ReturnType<ObjectStore['put']> {
  const { signal: outer } = options;
  outer?.throwIfAborted();
  const controller = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    reject(reason);
    controller.abort(reason);
  };
  const late = (): void => end(new MedzenError('store_unavailable', `${what} took nothing for ${ms} ms`));
  let timer = setTimeout(late, ms);
  const moved = (): void => {
    clearTimeout(timer);
    timer = setTimeout(late, ms);
  };
  const canceled = (): void => end(outer?.reason);
  outer?.addEventListener('abort', canceled, { once: true });
  const watched = body instanceof Uint8Array ? body : watch(body, moved);
  try {
    return await Promise.race([ended, store.put(key, watched, { ...options, signal: controller.signal })]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', canceled);
  }
}

/** Tells of each chunk that is taken, and takes none before it is asked for. */
function watch(body: ReadableStream<Uint8Array>, moved: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (sink) => {
        const { done, value } = await reader.read();
        moved();
        if (done) sink.close();
        else sink.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
