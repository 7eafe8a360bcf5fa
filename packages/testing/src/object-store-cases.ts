import { type ObjectStore, type ObjectVersion, sha256, toHex } from '@medzen/core';
import { at, fail, holds, present, rejects, same } from './assertions.ts';
import type { ContractCase } from './contract.ts';
import type { ObjectStoreContext } from './object-store-context.ts';

type Case = ContractCase<ObjectStoreContext>;

function define(
  id: string,
  title: string,
  run: (context: ObjectStoreContext) => Promise<void>,
  requires: Case['requires'] = [],
): Case {
  return { id: `objects.${id}`, title, requires, run };
}

const encoder = new TextEncoder();
const bytesOf = (text: string): Uint8Array => encoder.encode(text);
const contentType = 'video/webm';

async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer()); // the same bytes, whatever buffer is below
}

async function contentOf(objects: ObjectStore, key: string, versionId?: string): Promise<string | undefined> {
  const got = await objects.get(key, versionId === undefined ? {} : { versionId });
  return got === undefined ? undefined : new TextDecoder().decode(await readAll(got.body));
}

/** All versions under a prefix, page by page. */
async function everything(objects: ObjectStore, prefix: string, limit?: number): Promise<readonly ObjectVersion[]> {
  const all: ObjectVersion[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 200; pages++) {
    const page = await objects.listVersions(prefix, {
      ...(cursor === undefined ? {} : { cursor }),
      ...(limit === undefined ? {} : { limit }),
    });
    holds(page.versions.length <= (limit ?? 1000), 'a page is no longer than asked for');
    all.push(...page.versions);
    cursor = page.cursor;
    if (cursor === undefined) return all;
  }
  return fail('the listing never ended');
}

/** A stream of so many bytes in chunks of so many, counted as they are pulled. */
function streamOf(size: number, chunk: number, failAt = Number.POSITIVE_INFINITY) {
  const state = { pulled: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (state.pulled >= failAt) {
          controller.error(new Error('the source broke'));
          return;
        }
        if (state.pulled >= size) {
          controller.close();
          return;
        }
        const next = new Uint8Array(Math.min(chunk, size - state.pulled)).fill(state.pulled % 251);
        state.pulled += next.length;
        controller.enqueue(next);
      },
      cancel: () => {
        state.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { state, stream };
}

const hostile: readonly string[] = [
  '../outside',
  'a/../../outside',
  './a',
  'a//b',
  '/absolute',
  'trailing/',
  '%2e%2e/outside',
  'a\\..\\b',
  'C:\\windows',
  'con',
  'new\nline',
  ' spaces at the edges ',
  'sp ace+plus&amp;<x>"\'',
  'UPPER',
  'upper',
  'é',
  'e\u0301',
  '漢字/\u{1f600}.webm',
  'k'.repeat(1024),
  `${'x'.repeat(300)}/${'Y'.repeat(300)}`,
  '*?[]|$(id)`id`',
  '-rf',
  '.hidden',
  'a.',
];

/** What every `ObjectStore` must do. */
export const objectStoreCases: readonly Case[] = [
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
  define('list.pages', 'pages of any size show each version once', async ({ objects }) => {
    const want: string[] = [];
    for (const key of ['p/a', 'p/a', 'p/b', 'p/b', 'p/b', 'p/c/d', 'p/é']) {
      want.push(`${key} ${(await objects.put(key, bytesOf(key), { contentType })).versionId}`);
    }
    await objects.put('pa', bytesOf('x'), { contentType });
    for (const limit of [1, 2, 3, 1000]) {
      const all = await everything(objects, 'p/', limit);
      const seen = all.map((version) => `${version.key} ${version.versionId}`);
      same([...seen].sort(), [...want].sort(), `pages of ${limit}`);
    }
    same((await everything(objects, 'p')).length, 8, 'a prefix is of the text, not of a folder');
    same((await everything(objects, 'p/c')).length, 1, 'nor of whole segments');
    same(await everything(objects, 'q'), [], 'nothing under another');
    await rejects(objects.listVersions('', { limit: 0 }), 'invalid_input', 'a limit of 0');
    await rejects(objects.listVersions('', { limit: 1001 }), 'invalid_input', 'a limit of 1001');
    await rejects(objects.listVersions('', { cursor: 'not a cursor' }), 'invalid_input', 'a foreign cursor');
  }),
  define(
    'list.markers',
    'a delete marker hides its key, is listed, and is removed like a version',
    async ({ objects, addDeleteMarker }) => {
      const { versionId } = await objects.put('a', bytesOf('x'), { contentType });
      const marker = await addDeleteMarker('a');
      same(await objects.head('a'), undefined, 'hidden');
      same(await objects.head('a', marker), undefined, 'a marker is no object');
      same(await objects.get('a'), undefined, 'nothing to get');
      same(await contentOf(objects, 'a', versionId), 'x', 'the version is still there');
      const listed = await everything(objects, 'a');
      same(
        listed.map((version) => [version.versionId, version.isDeleteMarker, version.isLatest, version.size]).sort(),
        [
          [versionId, false, false, 1],
          [marker, true, true, 0],
        ].sort(),
        'both are listed',
      );
      await objects.deleteVersions([{ key: 'a', versionId: marker }]);
      same(await contentOf(objects, 'a'), 'x', 'back again');
    },
    ['delete-markers'],
  ),
  define(
    'delete.all',
    'deleted versions are gone for good, and gone already counts as deleted',
    async ({ objects }) => {
      const one = await objects.put('a', bytesOf('1'), { contentType });
      const two = await objects.put('a', bytesOf('2'), { contentType });
      const both = [one, two].map(({ key, versionId }) => ({ key, versionId }));
      const first = await objects.deleteVersions(both);
      same([first.deleted.length, first.errors], [2, []], 'both deleted');
      same(await everything(objects, ''), [], 'nothing listed');
      same(await objects.head('a'), undefined, 'no object');
      const again = await objects.deleteVersions(both);
      same([again.deleted.length, again.errors], [2, []], 'twice is once');
      same(await objects.deleteVersions([]), { deleted: [], errors: [] }, 'none is none');
    },
  ),
  define('delete.many', 'a thousand versions go at once, more are refused', async ({ objects }) => {
    const kept = await objects.put('kept', bytesOf('x'), { contentType });
    const one = await objects.put('a', bytesOf('x'), { contentType });
    const row = { key: 'a', versionId: one.versionId };
    const thousand = Array.from({ length: 1000 }, (_, i) =>
      i === 0 ? row : { key: `b${i}`, versionId: one.versionId },
    );
    const result = await objects.deleteVersions(thousand);
    same(result.deleted.length + result.errors.length, 1000, 'each has an outcome');
    same(await objects.head('a', one.versionId), undefined, 'the one is gone');
    const { key, versionId } = kept;
    await rejects(objects.deleteVersions([...thousand, { key, versionId }]), 'invalid_input', '1001');
    present(await objects.head('kept'), 'nothing of a refused call is done');
  }),
  define(
    'delete.locked',
    'a locked version is an error of its own, and the others go',
    async ({ objects, lock }) => {
      const held = await objects.put('held', bytesOf('x'), { contentType });
      const free = await objects.put('free', bytesOf('x'), { contentType });
      await lock('held', held.versionId);
      const result = await objects.deleteVersions([
        { key: 'held', versionId: held.versionId },
        { key: 'free', versionId: free.versionId },
      ]);
      same(result.deleted, [{ key: 'free', versionId: free.versionId }], 'the free one is gone');
      const error = at(result.errors, 0, 'errors');
      same([error.key, error.versionId, error.reason], ['held', held.versionId, 'locked'], 'the held one is named');
      present(await objects.head('held'), 'and still there');
    },
    ['object-lock'],
  ),
  define(
    'uploads.abort',
    'an upload left behind is seen by abortUploads only, and gone after it',
    async ({ objects, leaveUpload }) => {
      await leaveUpload('p/a');
      await leaveUpload('q/a');
      same(await everything(objects, ''), [], 'no version');
      same(await objects.abortUploads('p/'), 1, 'one under the prefix');
      same(await objects.abortUploads('p/'), 0, 'none after');
      same(await objects.abortUploads(''), 1, 'the other was left alone');
    },
    ['unfinished-uploads'],
  ),
  define(
    'link.plays',
    'a link gives its version, whole and in part, under the type and name it was signed with',
    async (context) => {
      const { objects } = context;
      const { versionId } = await objects.put('a', bytesOf('0123456789'), { contentType });
      await objects.put('a', bytesOf('another'), { contentType });
      const contentDisposition = `inline; filename="recording.webm"; filename*=UTF-8''r%C3%A9.webm`;
      const { url } = await objects.presignGet('a', { versionId, expiresInSeconds: 60, contentDisposition });
      const whole = await context.fetch(url);
      same([whole.status, await whole.text()], [200, '0123456789'], 'whole');
      same(whole.headers.get('content-type'), contentType, 'type');
      same(whole.headers.get('content-disposition'), contentDisposition, 'disposition');
      const part = await context.fetch(url, { headers: { range: 'bytes=2-4' } });
      same([part.status, await part.text(), part.headers.get('content-range')], [206, '234', 'bytes 2-4/10'], 'part');
      const beyond = await context.fetch(url, { headers: { range: 'bytes=10-' } });
      await beyond.arrayBuffer();
      same(beyond.status, 416, 'beyond');
      const typed = await objects.presignGet('a', { versionId, expiresInSeconds: 60, contentType: 'audio/x-test' });
      const other = await context.fetch(typed.url);
      await other.arrayBuffer();
      same(other.headers.get('content-type'), 'audio/x-test', 'a type of its own');
    },
  ),
  define('link.altered', 'a link with one character changed is refused', async (context) => {
    const { objects } = context;
    const { versionId } = await objects.put('a/b', bytesOf('x'), { contentType });
    const { url } = await objects.presignGet('a/b', { versionId, expiresInSeconds: 60, contentDisposition: 'inline' });
    const from = url.indexOf('/', 'https://'.length) + 1;
    const step = Math.max(1, Math.floor((url.length - from) / 60));
    for (let i = from; i < url.length; i += step) {
      const char = url[i] ?? '';
      // the first digit of an escape would make no escape, and a separator no query: the letters and digits carry the meaning
      if (!/[0-9A-Za-z]/.test(char) || url[i - 1] === '%' || url[i - 2] === '%') continue;
      const other = url.slice(0, i) + (char === 'q' ? 'r' : 'q') + url.slice(i + 1);
      const response = await context.fetch(other);
      await response.arrayBuffer();
      holds(
        response.status >= 400 && response.status < 500,
        `character ${i - from} changed answers ${response.status}`,
      );
    }
  }),
  define('link.gone', 'a link to a version that is gone gives nothing', async (context) => {
    const { objects } = context;
    const { versionId } = await objects.put('a', bytesOf('x'), { contentType });
    await objects.put('a', bytesOf('y'), { contentType });
    const { url } = await objects.presignGet('a', { versionId, expiresInSeconds: 60 });
    await objects.deleteVersions([{ key: 'a', versionId }]);
    const response = await context.fetch(url);
    await response.arrayBuffer();
    same(response.status, 404, 'not found');
  }),
  define(
    'link.expires',
    'a link stops working when it said it would',
    async (context) => {
      const { objects } = context;
      const { versionId } = await objects.put('a', bytesOf('x'), { contentType });
      const { url } = await objects.presignGet('a', { versionId, expiresInSeconds: 3600 });
      await context.advance(3_590_000);
      same((await context.fetch(url)).status, 200, 'ten seconds before');
      await context.advance(12_000);
      same((await context.fetch(url)).status, 403, 'two seconds after');
    },
    ['movable-clock'],
  ),
  define(
    'link.invalid',
    'a link for no time, too long, or under a name that is no header is refused',
    async ({ objects }) => {
      for (const expiresInSeconds of [0, -1, 1.5, 604_801, Number.NaN]) {
        await rejects(
          objects.presignGet('a', { versionId: 'v', expiresInSeconds }),
          'invalid_input',
          `${expiresInSeconds} s`,
        );
      }
      const split = { versionId: 'v', expiresInSeconds: 60, contentDisposition: 'inline\r\nset-cookie: a=b' };
      await rejects(objects.presignGet('a', split), 'invalid_input', 'a split header');
      await rejects(objects.presignGet('', { versionId: 'v', expiresInSeconds: 60 }), 'invalid_input', 'no key');
    },
  ),
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
