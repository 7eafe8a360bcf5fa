import { checkedDeadline, withDeadline } from './deadline.ts';
import { MedzenError } from './errors.ts';
import type { ObjectStore } from './ports/object-store.ts';

/** Time limits of calls to an object store, milliseconds, 1–2 147 483 647. */
export interface ObjectDeadlines {
  /** One call that moves no bytes; 30 000 when absent. */
  readonly callMs?: number;
  /** Time without progress after which a call that moves bytes fails; 60 000 when absent. Its total time has no bound. */
  readonly stallMs?: number;
}

const what = 'The object store';

/**
 * Gives every call of an object store a deadline, also when the store itself looks at no signal. A put may take as long as it moves, and so may the
 * body of a get, and a head that has to read the bytes: the deadline begins anew with every chunk.
 *
 * @param store - of the host
 * @param deadlines - of each call, and of how long one that moves bytes may stand still
 * @returns the same store, whose late calls throw `store_unavailable`
 * @throws MedzenError `invalid_configuration` naming the option
 * @example
 * ```ts
 * import { type ObjectStore, withObjectDeadlines } from '@medzen/core';
 * const impatient = (objects: ObjectStore) => withObjectDeadlines(objects, { callMs: 5000 });
 * ```
 */
export function withObjectDeadlines(store: ObjectStore, deadlines: ObjectDeadlines = {}): ObjectStore {
  const ms = checkedDeadline('callMs', deadlines.callMs ?? 30_000);
  const stallMs = checkedDeadline('stallMs', deadlines.stallMs ?? 60_000);
  const bounded = <T>(outer: AbortSignal | undefined, call: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    withDeadline({ ms, signal: outer, what }, call);
  return {
    location: store.location,
    put: (key, body, options) =>
      whileItMoves({ ms: stallMs, late: 'took nothing for', signal: options.signal }, (signal, progressed) => {
        const moved = told(progressed, options.moved);
        const watched = body instanceof Uint8Array ? body : watch(body, progressed);
        return store.put(key, watched, { ...options, signal, moved });
      }),
    head: (key, versionId, options) =>
      whileItMoves({ ms, late: 'did not answer within', signal: options?.signal }, (signal, progressed) =>
        store.head(key, versionId, { signal, moved: told(progressed, options?.moved) }),
      ),
    get: async (key, options) => {
      const outer = options?.signal;
      const found = await bounded(outer, (signal) => store.get(key, { ...options, signal }));
      return found && { ...found, body: readWhileItMoves(found.body, stallMs, outer) };
    },
    listVersions: (prefix, options) =>
      bounded(options?.signal, (signal) => store.listVersions(prefix, { ...options, signal })),
    deleteVersions: (versions, options) =>
      bounded(options?.signal, (signal) => store.deleteVersions(versions, { signal })),
    abortUploads: (prefix, options) => bounded(options?.signal, (signal) => store.abortUploads(prefix, { signal })),
    presignGet: (key, options) => bounded(undefined, () => store.presignGet(key, options)),
  };
}

/** A body that fails when it stands still, or when the signal is aborted. Nothing is read before it is asked for. */
function readWhileItMoves(
  body: ReadableStream<Uint8Array>,
  ms: number,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (sink) => {
        try {
          const { done, value } = await withDeadline({ ms, signal, what }, () => reader.read());
          if (done) sink.close();
          else sink.enqueue(value);
        } catch (error) {
          reader.cancel(error).catch(() => undefined); // the first failure is the one to tell
          throw error;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Runs a call that may take as long as it moves. */
async function whileItMoves<T>(
  limit: { readonly ms: number; readonly late: string; readonly signal: AbortSignal | undefined },
  call: (signal: AbortSignal, moved: () => void) => Promise<T>,
): Promise<T> {
  const { ms, signal: outer } = limit;
  outer?.throwIfAborted();
  const controller = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    reject(reason);
    controller.abort(reason);
  };
  const late = (): void => end(new MedzenError('store_unavailable', `${what} ${limit.late} ${ms} ms`));
  let timer = setTimeout(late, ms);
  let over = false;
  const moved = (): void => {
    clearTimeout(timer);
    if (!over) timer = setTimeout(late, ms);
  };
  const canceled = (): void => end(outer?.reason);
  outer?.addEventListener('abort', canceled, { once: true });
  try {
    return await Promise.race([ended, call(controller.signal, moved)]);
  } finally {
    over = true;
    clearTimeout(timer);
    outer?.removeEventListener('abort', canceled);
  }
}

function told(progressed: () => void, moved: (() => void) | undefined): () => void {
  return () => {
    progressed();
    moved?.();
  };
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
