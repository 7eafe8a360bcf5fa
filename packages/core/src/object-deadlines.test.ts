import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MedzenError } from './errors.ts';
import { withObjectDeadlines } from './object-deadlines.ts';
import type { ObjectHead, ObjectStore } from './ports/object-store.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const deadlines = { callMs: 1000, stallMs: 1000 };
const put = { contentType: 'video/mp4' };
const late = { code: 'store_unavailable', retryable: true };
const bytes = new TextEncoder().encode('media');
const streamed = (): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: (controller) => {
      controller.enqueue(bytes);
      controller.close();
    },
  });
/** What the call comes to, looked at whenever. */
const outcome = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);

/** A store of one object, which never answers what it was not given an answer for. */
function storeOf(methods: Partial<ObjectStore>): ObjectStore {
  const never = (): Promise<never> => new Promise(() => {});
  return {
    location: { store: 'test', bucket: 'b' },
    ...{ put: never, head: never, get: never, listVersions: never, deleteVersions: never, abortUploads: never },
    presignGet: never,
    ...methods,
  };
}

const head: ObjectHead = {
  ...{ key: 'a', versionId: '1', size: bytes.length, contentType: 'video/mp4' },
  ...{ sha256: new Uint8Array(32), lastModified: new Date(0) },
};

/** A store that reads back what it stored, for as long as it is told to: some stores can only say what they hold by reading it. */
function readingBack(ms: number, tells: boolean): ObjectStore {
  const read = async (moved: (() => void) | undefined): Promise<ObjectHead> => {
    for (let passed = 0; passed < ms; passed += 500) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      if (tells) moved?.();
    }
    return head;
  };
  return storeOf({
    put: async (_key, body, options) => {
      if (!(body instanceof Uint8Array)) for await (const _ of body);
      return read(options.moved);
    },
    head: (_key, _versionId, options) => read(options?.moved),
  });
}

const calls: readonly (readonly [
  string,
  (store: ObjectStore, moved?: () => void) => Promise<ObjectHead | undefined>,
])[] = [
  ['put of a stream', (store, moved) => store.put('a', streamed(), { ...put, ...(moved && { moved }) })],
  ['put of bytes', (store, moved) => store.put('a', bytes, { ...put, ...(moved && { moved }) })],
  ['head', (store, moved) => store.head('a', undefined, moved && { moved })],
];

test.each(calls)('a %s takes as long as the store reads back, and tells the caller so', async (_, call) => {
  const store = readingBack(10_000, true);
  let moves = 0;
  const answer = outcome(call(withObjectDeadlines(store, deadlines), () => void moves++));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await answer).toMatchObject({ key: 'a', size: bytes.length });
  expect(moves).toBe(20);
  expect(vi.getTimerCount()).toBe(0);
});

test.each(calls)('a %s that stands still ends', async (_, call) => {
  const answer = outcome(call(withObjectDeadlines(readingBack(10_000, false), deadlines)));
  await vi.advanceTimersByTimeAsync(1001);
  expect(await answer).toBeInstanceOf(MedzenError);
  expect(await answer).toMatchObject(late);
  await vi.advanceTimersByTimeAsync(20_000); // what was left behind begins no deadline anew
  expect(vi.getTimerCount()).toBe(0);
});

/** A body of three chunks, one each `ms`. */
function slowBody(ms: number, ends: string[]): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (sink) => {
        await new Promise((resolve) => setTimeout(resolve, ms));
        sink.enqueue(bytes);
        if (++sent === 3) sink.close();
      },
      cancel: () => void ends.push('canceled'),
    },
    { highWaterMark: 0 },
  );
}

test.each([
  ['slow', 900, undefined, 15],
  ['that stands still', 1100, undefined, late],
  ['that is not wanted any more', 900, 1000, { message: 'enough' }],
] as const)('the body of a get %s', async (_, ms, abortAfterMs, expected) => {
  const ends: string[] = [];
  const store = withObjectDeadlines(storeOf({ get: async () => ({ head, body: slowBody(ms, ends) }) }), deadlines);
  const controller = new AbortController();
  const found = await store.get('a', { signal: controller.signal });
  const read = outcome(new Response(found?.body).arrayBuffer().then(({ byteLength }) => byteLength));
  if (abortAfterMs !== undefined) setTimeout(() => controller.abort(new Error('enough')), abortAfterMs);
  await vi.advanceTimersByTimeAsync(20_000);
  const came = await read;
  if (typeof expected === 'number') expect(came).toBe(expected);
  else expect(came).toMatchObject(expected);
  expect(ends).toEqual(typeof expected === 'number' ? [] : ['canceled']);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([{ callMs: 0 }, { stallMs: 1.5 }, { callMs: Number.NaN }])('%o is refused, naming the option', (given) => {
  expect(() => withObjectDeadlines(storeOf({}), given)).toThrow(new RegExp(`^${Object.keys(given)[0]} must be`));
});
