import { holds, rejects, same } from '../assertions.ts';
import { bytesOf, type Case, contentType, define } from './object-case.ts';

/** Which 4xx it is differs: 403 and 404 of S3, 400 of Supabase Storage. */
const isRefused = ({ status }: Response): boolean => status >= 400 && status < 500;

/** `presignGet`: links that work for whoever holds them, until they expire. */
export const linkCases: readonly Case[] = [
  define('link.plays', 'a link gives its version, whole and in part, under its type', async (context) => {
    const { objects } = context;
    const { versionId } = await objects.put('a', bytesOf('0123456789'), { contentType });
    await objects.put('a', bytesOf('another'), { contentType });
    const { url } = await objects.presignGet('a', { versionId, expiresInSeconds: 60, contentDisposition: 'inline' });
    const whole = await context.fetch(url);
    same([whole.status, await whole.text()], [200, '0123456789'], 'whole');
    same(whole.headers.get('content-type'), contentType, 'type');
    const part = await context.fetch(url, { headers: { range: 'bytes=2-4' } });
    same([part.status, await part.text(), part.headers.get('content-range')], [206, '234', 'bytes 2-4/10'], 'part');
  }),

  define(
    'link.headers',
    'a link answers with the type and name it was signed with, and says when a part is beyond the end',
    async (context) => {
      const { objects } = context;
      const { versionId } = await objects.put('a', bytesOf('0123456789'), { contentType });
      const contentDisposition = `inline; filename="recording.webm"; filename*=UTF-8''r%C3%A9.webm`;
      const { url } = await objects.presignGet('a', { versionId, expiresInSeconds: 60, contentDisposition });
      const whole = await context.fetch(url);
      await whole.arrayBuffer();
      same(whole.headers.get('content-disposition'), contentDisposition, 'disposition');
      const beyond = await context.fetch(url, { headers: { range: 'bytes=10-' } });
      await beyond.arrayBuffer();
      same(beyond.status, 416, 'beyond');
      const typed = await objects.presignGet('a', { versionId, expiresInSeconds: 60, contentType: 'audio/x-test' });
      const other = await context.fetch(typed.url);
      await other.arrayBuffer();
      same(other.headers.get('content-type'), 'audio/x-test', 'a type of its own');
    },
    ['link-headers'],
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
      holds(isRefused(response), `character ${i - from} changed answers ${response.status}`);
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
    holds(isRefused(response), `not found: ${response.status}`);
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
      holds(isRefused(await context.fetch(url)), 'two seconds after');
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
];
