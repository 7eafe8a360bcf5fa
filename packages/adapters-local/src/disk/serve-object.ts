import { isMedzenError, type ObjectStore, toHex } from '@medzen/core';
import type { SignedLinks } from './signed-links.ts';

/** A web-standard handler, for `Deno.serve`, Hono, or Express through `toExpress`. */
export type FetchHandler = (request: Request) => Promise<Response>;

const neutral: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'private, no-store',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; sandbox",
};

function plain(status: number, text: string, more: Record<string, string> = {}): Response {
  return new Response(text, { status, headers: { ...neutral, 'content-type': 'text/plain; charset=utf-8', ...more } });
}

type Range = { readonly first: number; readonly last: number } | 'unsatisfiable' | undefined;

/** One byte range (RFC 9110 §14.1.2); several, or anything else, is as good as none. */
function rangeOf(header: string | null, size: number): Range {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return undefined;
    return Number(to) === 0 || size === 0 ? 'unsatisfiable' : { first: Math.max(0, size - Number(to)), last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < first) return undefined;
  return first >= size ? 'unsatisfiable' : { first, last };
}

/**
 * Serves what signed links allow: 200, 206, 304 never, 403 for a link that is altered or over, 404 for a version that is gone,
 * 405 for anything but GET and HEAD, 416, and 503 while the store is down. The link is the whole permission; errors say
 * nothing about what exists.
 */
export function serveObjects(objects: ObjectStore, links: SignedLinks): FetchHandler {
  async function answer(request: Request): Promise<Response> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return plain(405, 'Method not allowed', { allow: 'GET, HEAD' });
    }
    const grant = links.read(new URL(request.url));
    if (grant === undefined) return plain(403, 'This link is not valid, or not any more');
    const { key, versionId } = grant;
    const head = await objects.head(key, versionId);
    if (head === undefined) return plain(404, 'Not found');
    const etag = `"${toHex(head.sha256).slice(0, 32)}"`;
    const headers: Record<string, string> = {
      ...neutral,
      'content-type': grant.contentType ?? head.contentType,
      'content-disposition': grant.contentDisposition ?? 'attachment',
      'accept-ranges': 'bytes',
      etag,
    };
    const condition = request.headers.get('if-range');
    const asked = condition === null || condition === etag ? request.headers.get('range') : null;
    const range = rangeOf(asked, head.size);
    if (range === 'unsatisfiable')
      return plain(416, 'Range not satisfiable', { 'content-range': `bytes */${head.size}` });
    const length = range === undefined ? head.size : range.last - range.first + 1;
    headers['content-length'] = String(length);
    if (range !== undefined) headers['content-range'] = `bytes ${range.first}-${range.last}/${head.size}`;
    const status = range === undefined ? 200 : 206;
    if (request.method === 'HEAD') return new Response(null, { status, headers });
    const got = await objects.get(key, { versionId, ...(range === undefined ? {} : { range }) });
    if (got === undefined) return plain(404, 'Not found');
    return new Response(got.body as ReadableStream<Uint8Array<ArrayBuffer>>, { status, headers }); // bytes are bytes to a Response
  }
  return async (request) => {
    try {
      return await answer(request);
    } catch (error) {
      const down = isMedzenError(error) && error.code === 'store_unavailable';
      return down ? plain(503, 'Try again later') : plain(500, 'Internal error');
    }
  };
}
