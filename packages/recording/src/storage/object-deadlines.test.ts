import { memoryObjects } from '@medzen/adapters-local';
import { MedzenError, type ObjectHead, type ObjectStore } from '@medzen/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withObjectDeadlines } from './object-deadlines.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const timeouts = { objectsMs: 1000, stallMs: 1000 };
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

/** A store that reads back what it stored, for as long as it is told to: some stores can only say what they hold by reading it. */
function readingBack(ms: number, tells: boolean): ObjectStore {
  const objects = memoryObjects();
  const read = async (moved: (() => void) | undefined): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      if (tells) moved?.();
    }
  };
  return {
    ...objects,
    put: async (key, body, options) => {
      const head = await objects.put(key, body, options);
      await read(options.moved);
      return head;
    },
    head: async (key, versionId, options) => {
      await read(options?.moved);
      return objects.head(key, versionId);
    },
  };
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
  await outcome(Promise.all([store.put('a', bytes, put), vi.advanceTimersByTimeAsync(20_000)]));
  let moves = 0;
  const answer = outcome(call(withObjectDeadlines(store, timeouts), () => void moves++));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await answer).toMatchObject({ key: 'a', size: bytes.length });
  expect(moves).toBe(20);
  expect(vi.getTimerCount()).toBe(0);
});

test.each(calls)('a %s that stands still ends', async (_, call) => {
  const answer = outcome(call(withObjectDeadlines(readingBack(10_000, false), timeouts)));
  await vi.advanceTimersByTimeAsync(1001);
  expect(await answer).toBeInstanceOf(MedzenError);
  expect(await answer).toMatchObject(late);
  await vi.advanceTimersByTimeAsync(20_000); // what was left behind begins no deadline anew
  expect(vi.getTimerCount()).toBe(0);
});
