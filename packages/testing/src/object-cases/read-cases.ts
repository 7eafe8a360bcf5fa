import { holds, present, rejects, same } from '../assertions.ts';
import { bytesOf, type Case, contentOf, contentType, define, readAll } from './object-case.ts';

/** `head`, `get`, and a store that is down. */
export const readCases: readonly Case[] = [
  define('head.missing', 'what is not there is undefined', async ({ objects }) => {
    const { versionId } = await objects.put('a', bytesOf('x'), { contentType });
    same(await objects.head('b'), undefined, 'no key');
    same(await objects.head('b', versionId), undefined, "another key's version");
    same(await objects.get('b'), undefined, 'no key to get');
    await objects.put('a', bytesOf('y'), { contentType });
    await objects.deleteVersions([{ key: 'a', versionId }]);
    same(await objects.head('a', versionId), undefined, 'a version that is gone');
    same(await objects.get('a', { versionId }), undefined, 'nor got');
    same(await contentOf(objects, 'a'), 'y', 'the other stays');
  }),

  define('get.range', 'a range is answered in its inclusive bounds', async ({ objects }) => {
    await objects.put('a', bytesOf('0123456789'), { contentType });
    const part = async (first: number, last?: number) => {
      const range = last === undefined ? { first } : { first, last };
      const got = present(await objects.get('a', { range }), 'a part');
      same(got.head.size, 10, 'the head is of the whole');
      return new TextDecoder().decode(await readAll(got.body));
    };
    same(await part(2, 4), '234', '2–4');
    same(await part(0, 0), '0', '0–0');
    same(await part(7), '789', 'from 7');
    same(await part(8, 99), '89', 'past the end');
    await rejects(objects.get('a', { range: { first: 10 } }), 'invalid_input', 'starts at the end');
    await rejects(objects.get('a', { range: { first: 5, last: 4 } }), 'invalid_input', 'backwards');
    await rejects(objects.get('a', { range: { first: -1 } }), 'invalid_input', 'before the beginning');
  }),

  define('location', 'says where it keeps its objects, always the same', async ({ objects }) => {
    const { store, bucket, region } = objects.location;
    holds(store.length >= 1 && store.length <= 64, `a store of ${store.length} characters`);
    holds(bucket.length >= 1 && bucket.length <= 512, `a bucket of ${bucket.length} characters`);
    holds(region === undefined || (region.length >= 1 && region.length <= 64), 'a region');
    await objects.put('a', bytesOf('x'), { contentType });
    same(objects.location, { store, bucket, ...(region === undefined ? {} : { region }) }, 'after a put');
  }),

  define('signal.aborted', 'begins nothing when the signal was aborted before', async ({ objects }) => {
    const { versionId } = await objects.put('a', bytesOf('x'), { contentType });
    const reason = new Error('stopped by the caller');
    const signal = AbortSignal.abort(reason);
    const calls: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['head', () => objects.head('a', undefined, { signal })],
      ['get', () => objects.get('a', { signal })],
      ['listVersions', () => objects.listVersions('', { signal })],
      ['deleteVersions', () => objects.deleteVersions([{ key: 'a', versionId }], { signal })],
      ['abortUploads', () => objects.abortUploads('', { signal })],
    ];
    for (const [name, call] of calls) {
      const thrown = await call().then(
        () => undefined,
        (error: unknown) => error,
      );
      holds(thrown === reason, `${name} answers something else than the signal's reason`);
    }
    same(await contentOf(objects, 'a'), 'x', 'nothing was deleted');
  }),

  define(
    'outage',
    'a store that answers nothing says so, and can be asked again',
    async ({ objects, breakDown }) => {
      const { versionId } = await objects.put('a', bytesOf('x'), { contentType });
      await breakDown();
      const calls: Promise<unknown>[] = [
        objects.put('b', bytesOf('x'), { contentType }),
        objects.head('a'),
        objects.get('a'),
        objects.listVersions(''),
        objects.deleteVersions([{ key: 'a', versionId }]),
        objects.abortUploads(''),
      ];
      for (const call of await Promise.allSettled(calls)) {
        const promise = call.status === 'fulfilled' ? Promise.resolve(call.value) : Promise.reject(call.reason);
        const error = await rejects(promise, 'store_unavailable', 'down');
        holds(error.retryable, 'retryable');
      }
    },
    ['outage'],
  ),
];
