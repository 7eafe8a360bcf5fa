import fc from 'fast-check';
import { expect, test } from 'vitest';
import { partsOf } from './parts.ts';

function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

async function cut(body: Uint8Array | ReadableStream<Uint8Array>, size: number): Promise<number[][]> {
  const parts: number[][] = [];
  for await (const part of partsOf(body, size, undefined)) parts.push([...part]); // copied: the buffer is used again
  return parts;
}

/** The truth, said another way: the whole, cut with slices. */
function slices(whole: readonly number[], size: number): number[][] {
  const parts: number[][] = [];
  for (let at = 0; at === 0 || at < whole.length; at += size) parts.push(whole.slice(at, at + size));
  return parts;
}

test('a stream is cut at the same places however its chunks fall, and so are bytes', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 50 }), async (given, size) => {
      const whole = given.flatMap((chunk) => [...chunk]);
      expect(await cut(streamOf(given), size)).toEqual(slices(whole, size));
      expect(await cut(Uint8Array.from(whole), size)).toEqual(slices(whole, size));
    }),
  );
});

test('a stream that is not read to its end is let go of', async () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const part of partsOf(stream, 10, undefined)) {
    expect(part).toHaveLength(10);
    break;
  }
  expect(cancelled).toBe(true);
});

test('an abort ends a stream that waits for its source', async () => {
  const controller = new AbortController();
  const stream = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
  const next = partsOf(stream, 10, controller.signal).next();
  controller.abort(new Error('enough'));
  await expect(next).rejects.toThrow('enough');
});
