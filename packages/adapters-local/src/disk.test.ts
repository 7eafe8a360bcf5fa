import { randomBytes } from 'node:crypto';
import { link, mkdtemp, readdir, readFile, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256, toHex } from '@medzen/core';
import {
  brokenObjectStores,
  fakeClock,
  type ObjectStoreContext,
  objectStoreCases,
  registerCases,
  runContract,
} from '@medzen/testing';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { foldersOfKey, keyOfFolders } from './disk/key-path.ts';
import { type DiskObjects, diskObjects } from './disk.ts';

const secret = 'a secret of the tests, long enough to be one';
const contentType = 'video/webm';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const folders: string[] = [];

async function newFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'medzen-objects-'));
  folders.push(dir);
  return dir;
}

afterEach(async () => {
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true, force: true });
});

async function filesIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory() && entry.name !== 'medzen-objects')
    .map((entry) => join(entry.parentPath, entry.name));
}

const capabilities = [
  'conditional-put',
  'link-headers',
  'delete-markers',
  'movable-clock',
  'direct-read',
  'unfinished-uploads',
  'outage',
];

async function context(): Promise<ObjectStoreContext> {
  const dir = await newFolder();
  const clock = fakeClock();
  const objects = diskObjects({ dir, secret, clock, baseUrl: 'https://clinic.test/media' });
  return {
    objects,
    fetch: (url, init) => objects.fetch(new Request(url, init)),
    addDeleteMarker: (key) => objects.addDeleteMarker(key),
    leaveUpload: async (key) => {
      // what a process leaves that was killed while it wrote
      const { versionId } = await objects.put(key, bytes('left'), { contentType });
      const [file = ''] = (await filesIn(join(dir, ...foldersOfKey(key)))) ?? [];
      await link(file, join(file, '..', `u${randomBytes(8).toString('hex')}`));
      await rm(file);
      expect(await objects.head(key, versionId)).toBeUndefined();
    },
    lock: () => Promise.reject(new Error('not declared')),
    advance: async (ms) => clock.advance(ms),
    readDirectly: async (key) => {
      const [file = ''] = await filesIn(join(dir, ...foldersOfKey(key)));
      const whole = await readFile(file);
      return whole.subarray(0, whole.lastIndexOf('\n{'));
    },
    breakDown: () => rename(dir, `${dir}-away`).then(() => void folders.push(`${dir}-away`)),
  };
}

describe('objects on disk', { meta: { carrier: 'disk' } }, () => {
  const options = { test, skip: test.skip, capabilities, createContext: context };
  const { skipped } = registerCases(objectStoreCases, options);
  test('leave out what only a store with locks can show', () => {
    expect(skipped.map(({ id }) => id)).toEqual(['objects.delete.locked', 'objects.head.lock']);
  });

  test('let a store that keeps unfinished uploads be found out', async () => {
    const broken = brokenObjectStores.find(({ id }) => id === 'keeps-uploads');
    const report = await runContract(objectStoreCases, {
      capabilities,
      createContext: async () => {
        const right = await context();
        return { ...right, objects: broken?.break(right.objects) ?? right.objects };
      },
    });
    expect(report.failed.map(({ id }) => id)).toContain('objects.uploads.abort');
  });
});

describe('the folder of a disk store', () => {
  let dir: string;
  let objects: DiskObjects;
  beforeEach(async () => {
    dir = await newFolder();
    objects = diskObjects({ dir, secret });
  });

  test('holds every file below it, whatever the key', async () => {
    const keys = [
      '../up',
      '/etc/passwd',
      '..',
      '.',
      'a/../../b',
      'nul\0byte',
      '\u0001',
      'x'.repeat(1024),
      '/'.repeat(1024),
      'A'.repeat(1024),
    ];
    for (const key of keys) await objects.put(key, bytes(key), { contentType });
    for (const key of keys) expect((await objects.head(key))?.size).toBe(bytes(key).length);
    const { versions } = await objects.listVersions('');
    expect(versions.map(({ key }) => key).sort()).toEqual([...keys].sort());
    expect(await filesIn(dir)).toHaveLength(keys.length);
    expect((await readdir(join(dir, '..'))).includes('up')).toBe(false);
  });

  test('is empty again after everything is deleted', async () => {
    const a = await objects.put('default/2026/11/a', bytes('x'), { contentType });
    const b = await objects.put('default/2026/12/b', bytes('x'), { contentType });
    await objects.deleteVersions([a, b]);
    expect(await readdir(dir)).toEqual(['medzen-objects']);
  });

  test('keeps a version when the process dies after the commit and before the clean-up', async () => {
    const { versionId } = await objects.put('k', bytes('whole'), { contentType });
    const [file = ''] = await filesIn(dir);
    await link(file, join(file, '..', 'u0123456789abcdef'));
    expect(await objects.abortUploads('')).toBe(1);
    expect((await objects.head('k', versionId))?.size).toBe(5);
    expect(await filesIn(dir)).toEqual([file]);
  });

  test('shows nothing of a put that dies at any byte', async () => {
    await objects.put('k', bytes('0123456789'), { contentType });
    const [file = ''] = await filesIn(dir);
    const { size } = await stat(file);
    const upload = join(file, '..', 'u0123456789abcdef');
    await rename(file, upload);
    for (const length of [size, size - 1, 10, 1, 0]) {
      await truncate(upload, length);
      const restarted = diskObjects({ dir, secret });
      expect(await restarted.head('k')).toBeUndefined();
      expect((await restarted.listVersions('')).versions).toEqual([]);
    }
    expect(await objects.abortUploads('')).toBe(1);
    expect(await readdir(dir)).toEqual(['medzen-objects']);
  });

  test('is its owner’s alone', async () => {
    const own = join(dir, 'store');
    await diskObjects({ dir: own, secret }).put('k/a', bytes('x'), { contentType });
    const entries = await readdir(own, { recursive: true, withFileTypes: true });
    const modes = await Promise.all(
      entries
        .filter((entry) => entry.name !== 'medzen-objects')
        .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).mode & 0o077),
    );
    expect(new Set([...modes, (await stat(own)).mode & 0o077])).toEqual(new Set([0]));
  });

  test('is not read through symbolic links', async () => {
    await objects.put('k/a', bytes('mine'), { contentType });
    const outside = await newFolder();
    const [file = ''] = await filesIn(dir);
    const name = file.slice(file.lastIndexOf('/') + 1);
    await rename(file, join(outside, name));
    await symlink(join(outside, name), file);
    await expect(objects.get('k/a')).rejects.toMatchObject({ code: 'store_unavailable' });
    await symlink(outside, join(dir, 'slinked'));
    await expect(objects.get('linked')).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(objects.put('linked', bytes('x'), { contentType })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(await readdir(outside)).toEqual([name]);
  });

  test('says when a file in it was damaged, and lets it be deleted', async () => {
    await objects.put('k', bytes('0123456789'), { contentType });
    const [file = ''] = await filesIn(dir);
    await truncate(file, 20);
    await expect(objects.head('k')).rejects.toMatchObject({ code: 'store_unavailable', retryable: false });
    const { versions } = await objects.listVersions('');
    expect(versions).toHaveLength(1);
    const result = await objects.deleteVersions(versions);
    expect(result.errors).toEqual([]);
    expect(await readdir(dir)).toEqual(['medzen-objects']);
  });

  test('does not look empty when its disk is gone', async () => {
    await objects.put('k', bytes('x'), { contentType });
    await rename(dir, `${dir}-away`);
    folders.push(`${dir}-away`);
    await expect(objects.listVersions('')).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    await writeFile(dir, 'a file where the folder was');
    await expect(objects.head('k')).rejects.toMatchObject({ code: 'store_unavailable' });
    await rm(dir);
  });

  test('takes puts and deletions of one key from two stores at once', async () => {
    const other = diskObjects({ dir, secret });
    const done = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const store = i % 2 === 0 ? objects : other;
        const head = await store.put('deep/er/k', bytes(`${i}`), { contentType });
        if (i % 4 !== 0) return 0;
        const [one, two] = await Promise.all([objects.deleteVersions([head]), other.deleteVersions([head])]);
        expect([one.errors, two.errors]).toEqual([[], []]);
        return 1;
      }),
    );
    const deleted = done.filter((one) => one === 1).length;
    expect((await objects.listVersions('')).versions).toHaveLength(40 - deleted);
  });

  test('ends a stream whose version is deleted before it is read', async () => {
    const head = await objects.put('k', bytes('x'), { contentType });
    const got = await objects.get('k');
    await objects.deleteVersions([head]);
    await expect(new Response(got?.body as ReadableStream<Uint8Array<ArrayBuffer>>).text()).rejects.toMatchObject({
      code: 'not_found',
    }); // bytes are bytes to a Response
  });

  test('streams: a large object is never whole in memory', async () => {
    const size = 64 * 1024 * 1024;
    let pulled = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (pulled >= size) return controller.close();
        pulled += 1024 * 1024;
        return controller.enqueue(new Uint8Array(1024 * 1024));
      },
    });
    await objects.put('k', stream, { contentType });
    const got = await objects.get('k');
    let largest = 0;
    let total = 0;
    for await (const chunk of got?.body ?? []) {
      largest = Math.max(largest, chunk.length);
      total += chunk.length;
    }
    expect([total, largest <= 65_536]).toEqual([size, true]);
  });
});

describe('the handler of a disk store', () => {
  let objects: DiskObjects;
  let url: string;
  const clock = fakeClock();
  beforeEach(async () => {
    objects = diskObjects({ dir: await newFolder(), secret, clock, baseUrl: 'https://clinic.test/media' });
    const { versionId } = await objects.put('k', bytes('0123456789'), { contentType });
    ({ url } = await objects.presignGet('k', { versionId, expiresInSeconds: 60 }));
  });
  const ask = (init: RequestInit = {}, at = url) => objects.fetch(new Request(at, init));

  test('answers headers that let a browser keep, guess and leak nothing', async () => {
    const response = await ask();
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-store',
      'content-disposition': 'attachment',
      'content-length': '10',
      'content-type': 'video/webm',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    expect(await response.text()).toBe('0123456789');
  });

  test('answers HEAD without a body and no other method', async () => {
    const head = await ask({ method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await ask({ method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
  });

  test('answers ranges as RFC 9110 has them', async () => {
    const cases: [string, number, string, string | null][] = [
      ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
      ['bytes=-3', 206, '789', 'bytes 7-9/10'],
      ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
      ['bytes=4-', 206, '456789', 'bytes 4-9/10'],
      ['bytes=10-', 416, 'Range not satisfiable', 'bytes */10'],
      ['bytes=-0', 416, 'Range not satisfiable', 'bytes */10'],
      ['bytes=5-4', 200, '0123456789', null],
      ['bytes=0-1,4-5', 200, '0123456789', null],
      ['lines=1-2', 200, '0123456789', null],
    ];
    for (const [range, status, text, header] of cases) {
      const response = await ask({ headers: { range } });
      const got = [range, response.status, await response.text(), response.headers.get('content-range')];
      expect(got).toEqual([range, status, text, header]);
    }
  });

  test('gives the whole when the part is of another version (If-Range)', async () => {
    const etag = (await ask({ method: 'HEAD' })).headers.get('etag') ?? '';
    expect((await ask({ headers: { range: 'bytes=0-1', 'if-range': etag } })).status).toBe(206);
    expect((await ask({ headers: { range: 'bytes=0-1', 'if-range': '"other"' } })).status).toBe(200);
  });

  test('refuses parameters added, doubled, renamed or left out', async () => {
    const bad = [
      `${url}&type=text/html`,
      `${url}&disposition=inline`,
      `${url}&extra=1`,
      `${url}&expires=9999999999`,
      url.replace('expires=', 'Expires='),
      url.replace(/&signature=.*/, ''),
      url.replace(/signature=.*/, 'signature='),
      url.replace(/version=[^&]*&/, ''),
      url.replace('?', '/?'),
      url.split('?')[0] ?? '',
      'https://clinic.test/media/',
    ];
    for (const other of bad) expect([other, (await ask({}, other)).status]).toEqual([other, 403]);
  });

  test('refuses every link while the clock tells no time', async () => {
    const dir = await newFolder();
    let instant = new Date(0);
    const own = diskObjects({ dir, secret, clock: { now: () => instant }, baseUrl: 'https://clinic.test/media' });
    const { versionId } = await own.put('k', bytes('0'), { contentType });
    const link = await own.presignGet('k', { versionId, expiresInSeconds: 60 });
    expect((await own.fetch(new Request(link.url))).status).toBe(200);
    instant = new Date(Number.NaN);
    expect((await own.fetch(new Request(link.url))).status).toBe(403);
  });

  test('refuses a link of another secret', async () => {
    const other = diskObjects({
      dir: await newFolder(),
      secret: 'another',
      clock,
      baseUrl: 'https://clinic.test/media',
    });
    expect((await other.fetch(new Request(url))).status).toBe(403);
  });

  test('works when the framework took its path off', async () => {
    expect((await ask({}, url.replace('/media/', '/'))).status).toBe(200);
  });

  test('answers 503 while the store is down', async () => {
    const [dir = ''] = folders.slice(-1);
    await rename(dir, `${dir}-away`);
    folders.push(`${dir}-away`);
    const response = await ask();
    expect([response.status, await response.text()]).toEqual([503, 'Try again later']);
  });
});

test('a disk store needs a secret and a base that is a URL', () => {
  const code = (make: () => unknown) => {
    try {
      make();
    } catch (error) {
      return (error as { code?: string }).code;
    }
    return undefined;
  };
  expect(code(() => diskObjects({ dir: '/tmp/x', secret: '' }))).toBe('invalid_configuration');
  expect(code(() => diskObjects({ dir: '', secret }))).toBe('invalid_configuration');
  expect(code(() => diskObjects({ dir: '/tmp/x', secret, baseUrl: 'media' }))).toBe('invalid_configuration');
});

test('folders give every key back, and no two keys the same folders', () => {
  const key = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(key, (text) => {
      const path = foldersOfKey(text);
      expect(keyOfFolders(path)).toBe(text);
      for (const folder of path) expect(folder).toMatch(/^(?:[sx]|c[sx])[a-z0-9_-]{0,200}$/);
    }),
    { numRuns: 500 },
  );
});

test('the digest of a head is the digest of the bytes', async () => {
  const objects = diskObjects({ dir: await newFolder(), secret });
  const body = randomBytes(100_000);
  const head = await objects.put('k', new Uint8Array(body), { contentType });
  expect(toHex(head.sha256)).toBe(toHex(sha256(new Uint8Array(body))));
});
