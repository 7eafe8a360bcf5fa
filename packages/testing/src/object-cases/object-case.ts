import type { ObjectStore, ObjectVersion } from '@medzen/core';
import { fail, holds } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import type { ObjectStoreContext } from '../object-store-context.ts';

export type Case = ContractCase<ObjectStoreContext>;

export function define(
  id: string,
  title: string,
  run: (context: ObjectStoreContext) => Promise<void>,
  requires: Case['requires'] = [],
): Case {
  return { id: `objects.${id}`, title, requires, run };
}

const encoder = new TextEncoder();
export const bytesOf = (text: string): Uint8Array => encoder.encode(text);
export const contentType = 'video/webm';

export async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer()); // the same bytes, whatever buffer is below
}

export async function contentOf(objects: ObjectStore, key: string, versionId?: string): Promise<string | undefined> {
  const got = await objects.get(key, versionId === undefined ? {} : { versionId });
  return got === undefined ? undefined : new TextDecoder().decode(await readAll(got.body));
}

/** All versions under a prefix, page by page. */
export async function everything(
  objects: ObjectStore,
  prefix: string,
  limit?: number,
): Promise<readonly ObjectVersion[]> {
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

/** A stream, and how far it was read. */
export interface CountedStream {
  readonly state: { readonly pulled: number; readonly cancelled: boolean };
  readonly stream: ReadableStream<Uint8Array>;
}

/** A stream of so many bytes in chunks of so many, counted as they are pulled. */
export function streamOf(size: number, chunk: number, failAt: number = Number.POSITIVE_INFINITY): CountedStream {
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

export const hostile: readonly string[] = [
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
