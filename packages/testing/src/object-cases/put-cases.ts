import { sha256, toHex } from '@medzen/core';
import { fail, holds, present, rejects, same } from '../assertions.ts';
import {
  bytesOf,
  type Case,
  contentOf,
  contentType,
  define,
  everything,
  hostile,
  readAll,
  streamOf,
} from './object-case.ts';

/** `put`: all or nothing, whatever the key. */
export const putCases: readonly Case[] = [
  define('put.reads-back', 'a put answers the version as the store has it', async ({ objects }) => {
    const body = bytesOf('0123456789');
    const head = await objects.put('default/a', body, { contentType });
    same(head.key, 'default/a', 'key');
    same(head.size, 10, 'size');
    same(head.contentType, contentType, 'content type');
    same(toHex(head.sha256), toHex(sha256(body)), 'SHA-256');
    holds(head.versionId.length > 0, 'a version id');
    same(await objects.head('default/a'), head, 'head says the same as put');
    same(await objects.head('default/a', head.versionId), head, 'head of the version too');
    same(await contentOf(objects, 'default/a'), '0123456789', 'the bytes');
  }),

  define('put.empty', 'an object may be empty', async ({ objects }) => {
    const head = await objects.put('a', new Uint8Array(), { contentType });
    same([head.size, toHex(head.sha256)], [0, toHex(sha256())], 'size and digest');
    same(await contentOf(objects, 'a'), '', 'no bytes');
  }),

  define(
    'put.stream',
    'a stream of unknown length is stored whole, and its digest is known afterwards',
    async (context) => {
      const { objects } = context;
      const size = 12 * 1024 * 1024 + 17;
      const { stream } = streamOf(size, 100_003);
      const head = await objects.put('big', stream, { contentType });
      same(head.size, size, 'size');
      const got = present(await objects.get('big'), 'the object');
      const bytes = await readAll(got.body);
      same(bytes.length, size, 'bytes');
      same(toHex(head.sha256), toHex(sha256(bytes)), 'the digest is of the bytes');
      same(toHex(present(await objects.head('big'), 'head').sha256), toHex(head.sha256), 'head knows it too');
    },
  ),

  define('put.expected', 'the right length and digest are accepted', async ({ objects }) => {
    const body = bytesOf('right');
    const options = { contentType, contentLength: 5, sha256: sha256(body) };
    const head = await objects.put('a', new Blob([body as Uint8Array<ArrayBuffer>]).stream(), options); // text makes plain buffers
    same(head.size, 5, 'size');
  }),

  define('put.digest', 'a body with another digest or length is refused and nothing stays', async ({ objects }) => {
    const body = bytesOf('wrong');
    const other = sha256(bytesOf('right'));
    const cases = [{ sha256: other }, { contentLength: 4 }, { contentLength: 6 }];
    for (const wanted of cases) {
      await rejects(objects.put('p/a', body, { contentType, ...wanted }), 'checksum_mismatch', 'bytes');
      const { stream } = streamOf(11 * 1024 * 1024, 1_000_000);
      await rejects(objects.put('p/a', stream, { contentType, ...wanted }), 'checksum_mismatch', 'a stream');
    }
    same(await everything(objects, ''), [], 'no version');
    same(await objects.abortUploads(''), 0, 'no upload');
  }),

  define(
    'put.source-fails',
    'a source that breaks leaves nothing, and its error is the one thrown',
    async ({ objects }) => {
      for (const failAt of [0, 100_000, 11 * 1024 * 1024]) {
        const { stream } = streamOf(20 * 1024 * 1024, 100_000, failAt);
        let message = '';
        await objects.put('p/a', stream, { contentType }).catch((error: unknown) => {
          message = String(error);
        });
        holds(message.includes('the source broke'), `thrown: ${message}`);
      }
      same(await everything(objects, 'p/'), [], 'no version');
      same(await objects.abortUploads('p/'), 0, 'no upload');
    },
  ),

  define('put.aborted', 'an aborted put leaves nothing and lets go of its source', async ({ objects }) => {
    const controller = new AbortController();
    const { stream, state } = streamOf(40 * 1024 * 1024, 1_000_000);
    const put = objects.put('p/a', stream, { contentType, signal: controller.signal });
    controller.abort(new Error('stop'));
    let rejected = false;
    await put.catch(() => {
      rejected = true;
    });
    holds(rejected, 'the put rejects');
    holds(state.cancelled || state.pulled === 0, 'the source was cancelled');
    same(await everything(objects, 'p/'), [], 'no version');
    same(await objects.abortUploads('p/'), 0, 'no upload');
    await objects.put('p/b', bytesOf('x'), { contentType, signal: AbortSignal.abort() }).then(
      () => fail('a put with an aborted signal stores'),
      () => undefined,
    );
    same(await everything(objects, 'p/'), [], 'still no version');
  }),

  define('put.versions', 'a second put adds a version and overwrites nothing', async ({ objects }) => {
    const one = await objects.put('a', bytesOf('one'), { contentType });
    const two = await objects.put('a', bytesOf('two'), { contentType });
    holds(one.versionId !== two.versionId, 'two ids');
    same(await contentOf(objects, 'a'), 'two', 'current');
    same(await contentOf(objects, 'a', one.versionId), 'one', 'the first by its id');
    const listed = await everything(objects, 'a');
    same(
      listed.map((version) => [version.versionId, version.isLatest, version.size]).sort(),
      [
        [one.versionId, false, 3],
        [two.versionId, true, 3],
      ].sort(),
      'both are listed',
    );
  }),

  define(
    'put.refuse',
    'ifExists refuse stores once, and one of many at once',
    async ({ objects }) => {
      const put = () => objects.put('a', bytesOf('x'), { contentType, ifExists: 'refuse' });
      const results = await Promise.allSettled([put(), put(), put(), put()]);
      same(results.filter((result) => result.status === 'fulfilled').length, 1, 'one winner');
      await rejects(put(), 'conflict', 'and none later');
      same((await everything(objects, '')).length, 1, 'one version');
    },
    ['conditional-put'],
  ),

  define(
    'put.refuse-marker',
    'ifExists refuse stores where a delete marker is the newest',
    async ({ objects, addDeleteMarker }) => {
      await objects.put('a', bytesOf('x'), { contentType });
      await addDeleteMarker('a');
      await objects.put('a', bytesOf('y'), { contentType, ifExists: 'refuse' });
      same(await contentOf(objects, 'a'), 'y', 'stored');
    },
    ['conditional-put', 'delete-markers'],
  ),

  define('put.concurrent', 'many puts of one key at once all become versions', async ({ objects }) => {
    const heads = await Promise.all(
      Array.from({ length: 8 }, (_, i) => objects.put('a', bytesOf(`body ${i}`), { contentType })),
    );
    same(new Set(heads.map((head) => head.versionId)).size, 8, 'ids differ');
    for (const [i, head] of heads.entries())
      same(await contentOf(objects, 'a', head.versionId), `body ${i}`, 'its own bytes');
    const listed = await everything(objects, 'a');
    same([listed.length, listed.filter((version) => version.isLatest).length], [8, 1], 'one is the latest');
  }),

  define('put.invalid', 'a key that is none, or a content type that is none, is refused', async ({ objects }) => {
    for (const key of ['', 'k'.repeat(1025), 'é'.repeat(513), '\ud800']) {
      await rejects(objects.put(key, bytesOf('x'), { contentType }), 'invalid_input', `key of ${key.length}`);
    }
    for (const type of ['', 'text/plain\r\nx: y']) {
      await rejects(objects.put('a', bytesOf('x'), { contentType: type }), 'invalid_input', 'content type');
    }
    const short = { contentType, sha256: new Uint8Array(5) };
    await rejects(objects.put('a', bytesOf('x'), short), 'invalid_input', 'a digest of five bytes');
  }),

  define(
    'put.stored-bytes',
    'what is stored is what was put',
    async ({ objects, readDirectly }) => {
      const body = Uint8Array.from({ length: 256 }, (_, i) => i);
      const { versionId } = await objects.put('a', body, { contentType });
      same(toHex(await readDirectly('a', versionId)), toHex(body), 'read without the store');
    },
    ['direct-read'],
  ),

  define('keys.hostile', 'every key is a name and nothing else', async ({ objects }) => {
    const ids = new Map<string, string>();
    for (const key of hostile) ids.set(key, (await objects.put(key, bytesOf(key), { contentType })).versionId);
    for (const key of hostile) same(await contentOf(objects, key), key, `content of ${JSON.stringify(key)}`);
    const listed = await everything(objects, '');
    same(listed.map((version) => version.key).sort(), [...hostile].sort(), 'all are listed, each by its own name');
    const result = await objects.deleteVersions(
      hostile.map((key) => ({ key, versionId: present(ids.get(key), 'an id') })),
    );
    same([result.deleted.length, result.errors], [hostile.length, []], 'all are deleted');
    same(await everything(objects, ''), [], 'nothing stays');
  }),
];
