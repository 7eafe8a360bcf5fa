import { sha256, toHex } from '@medzen/core';
import {
  brokenObjectStores,
  fakeClock,
  type ObjectStoreContext,
  objectStoreCases,
  registerCases,
  runContract,
} from '@medzen/testing';
import { createClient } from '@supabase/supabase-js';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { type StandInBucket, type StorageStandIn, startStorage } from '../../../test/storage-stand-in.ts';
import { type SupabaseStorageLike, supabaseObjects } from './index.ts';
import { baseOf, namesOf } from './objects/object-name.ts';

const jwtSecret = new TextEncoder().encode('a secret of this test run, of 32 bytes or more');
const contentType = 'video/webm';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function clientOf(standIn: StorageStandIn, role: string) {
  const key = await new SignJWT({ role }).setProtectedHeader({ alg: 'HS256' }).sign(jwtSecret);
  return createClient(standIn.url, key, { auth: { persistSession: false, autoRefreshToken: false } });
}

async function stage(bucket: StandInBucket = {}) {
  const clock = fakeClock();
  const standIn = await startStorage({ jwtSecret, buckets: { recordings: bucket }, now: () => clock.now() });
  const client = await clientOf(standIn, 'service_role');
  return { clock, standIn, client, objects: supabaseObjects(client, { bucket: 'recordings', clock }) };
}

const capabilities = ['object-lock', 'movable-clock', 'direct-read', 'outage', 'unfinished-uploads'];

async function context(): Promise<ObjectStoreContext & { dispose(): Promise<void> }> {
  const { clock, standIn, client, objects } = await stage();
  return {
    objects,
    fetch: (url, init) => fetch(url, init),
    addDeleteMarker: () => Promise.reject(new Error('not declared')),
    leaveUpload: async (key) => {
      // what a process leaves that was killed between the bytes and the mark
      const name = `${baseOf(key)}.999999999-0123456789abcdef`;
      const { error } = await client.storage.from('recordings').upload(name, bytes('left'), { upsert: false });
      expect(error).toBeNull();
    },
    lock: async (key, versionId) => void standIn.undeletable.add(namesOf(key, versionId)?.bytes ?? ''),
    advance: async (ms) => clock.advance(ms),
    readDirectly: async (key, versionId) =>
      standIn.objects.get(`recordings/${namesOf(key, versionId)?.bytes}`)?.bytes ?? new Uint8Array(),
    breakDown: async () => standIn.breakDown(),
    dispose: () => standIn.close(),
  };
}

describe('objects in Supabase Storage, through supabase-js and a stand-in for it', {
  meta: { carrier: 'Supabase Storage stand-in' },
}, () => {
  const options = { test, skip: test.skip, capabilities, createContext: context };
  const { skipped } = registerCases(objectStoreCases, options);
  test('leave out what Storage cannot do, and nothing else', () => {
    expect(skipped.map(({ id }) => id)).toEqual([
      'objects.put.refuse',
      'objects.put.refuse-marker',
      'objects.list.markers',
      'objects.head.lock',
      'objects.link.headers',
    ]);
  });

  const beyond = ['objects.list.markers', 'objects.put.refuse', 'objects.head.lock'];
  for (const broken of brokenObjectStores.filter(({ caughtBy }) => !beyond.includes(caughtBy))) {
    test(`let a store be found out that ${broken.title}`, async () => {
      const cases = objectStoreCases.filter(({ id }) => id === broken.caughtBy);
      const report = await runContract(cases, {
        capabilities,
        createContext: async () => {
          const right = await context();
          return { ...right, objects: broken.break(right.objects) };
        },
      });
      expect(report.failed.map(({ id }) => id)).toEqual([broken.caughtBy]);
    });
  }
});

describe('a bucket', () => {
  test.each([
    ['is public', { public: true }],
    ['has versions of its own', { versioning_status: 'ENABLED' }],
    ['had them once', { versioning_status: 'SUSPENDED' }],
  ] as const)('that %s is refused by every call', async (_, bucket) => {
    const { standIn, objects } = await stage(bucket);
    const wrong = { code: 'invalid_configuration' };
    await expect(objects.put('a', bytes('x'), { contentType })).rejects.toMatchObject(wrong);
    await expect(objects.listVersions('')).rejects.toMatchObject(wrong);
    await expect(objects.presignGet('a', { versionId: 'v', expiresInSeconds: 1 })).rejects.toMatchObject(wrong);
    expect(standIn.objects.size).toBe(0);
    await standIn.close();
  });

  test('whose versions are switched on while it is used is refused a minute later', async () => {
    const bucket: { versioning_status: 'DISABLED' | 'ENABLED' } = { versioning_status: 'DISABLED' };
    const { standIn, clock, objects } = await stage(bucket);
    const { versionId } = await objects.put('a', bytes('x'), { contentType });
    bucket.versioning_status = 'ENABLED';
    clock.advance(61_000);
    await expect(objects.deleteVersions([{ key: 'a', versionId }])).rejects.toMatchObject({
      code: 'invalid_configuration',
    });
    expect(standIn.objects.size).toBe(2);
    await standIn.close();
  });

  test('that is not there, or not for this key, is refused', async () => {
    const { standIn, client, objects } = await stage();
    await objects.put('a', bytes('x'), { contentType });
    const stores = [supabaseObjects(client, { bucket: 'absent' })];
    for (const role of ['anon', 'authenticated'])
      stores.push(supabaseObjects(await clientOf(standIn, role), { bucket: 'recordings' }));
    for (const store of stores)
      await expect(store.get('a')).rejects.toMatchObject({ code: 'invalid_configuration', retryable: false });
    await standIn.close();
  });

  test('shows nothing to anyone but the service, even beside the store', async () => {
    const { standIn, objects } = await stage();
    const { versionId } = await objects.put('a', bytes('x'), { contentType });
    const name = namesOf('a', versionId)?.bytes ?? '';
    for (const role of ['anon', 'authenticated']) {
      const api = (await clientOf(standIn, role)).storage.from('recordings');
      expect((await api.listV2({ prefix: '' })).data?.objects).toEqual([]);
      expect((await api.createSignedUrl(name, 60)).error).not.toBeNull();
      expect((await api.remove([name])).data).toEqual([]);
      expect((await api.upload('other', bytes('x'))).error).not.toBeNull();
    }
    expect(standIn.objects.size).toBe(2);
    await standIn.close();
  });

  test('whose limit is exceeded refuses, and nothing stays', async () => {
    const { standIn, objects } = await stage({ limit: 10 });
    const put = objects.put('a', bytes('0123456789a'), { contentType });
    await expect(put).rejects.toMatchObject({ code: 'invalid_configuration' });
    expect(standIn.objects.size).toBe(0);
    await standIn.close();
  });
});

describe('a put', () => {
  test('leaves nothing when Storage keeps other bytes than were sent', async () => {
    const { standIn, client } = await stage();
    const flipping: SupabaseStorageLike = {
      storage: {
        getBucket: (id) => client.storage.getBucket(id),
        from: (id) => {
          const api = client.storage.from(id);
          return {
            upload: (path, _, options) => api.upload(path, bytes('flipped'), options),
            listV2: (options) => api.listV2(options),
            remove: (paths) => api.remove(paths),
            createSignedUrl: (path, expiresIn, options) => api.createSignedUrl(path, expiresIn, options),
          };
        },
      },
    };
    const objects = supabaseObjects(flipping, { bucket: 'recordings' });
    await expect(objects.put('a', bytes('correct'), { contentType })).rejects.toMatchObject({
      code: 'checksum_mismatch',
    });
    expect(standIn.objects.size).toBe(0);
    await standIn.close();
  });

  test('that is refused lets go of a source that has stalled', async () => {
    const { standIn, client } = await stage();
    const api = client.storage.from('recordings');
    const refusing: SupabaseStorageLike = {
      storage: {
        getBucket: (id) => client.storage.getBucket(id),
        from: () => ({
          upload: async (_, body) => {
            if (body instanceof ReadableStream)
              body
                .getReader()
                .read()
                .catch(() => undefined); // never answered
            return { data: null, error: { status: 400, statusCode: '413' } };
          },
          listV2: (options) => api.listV2(options),
          remove: (paths) => api.remove(paths),
          createSignedUrl: (path, expiresIn) => api.createSignedUrl(path, expiresIn),
        }),
      },
    };
    let cancelled = false;
    const stalled = new ReadableStream<Uint8Array>({
      cancel: () => {
        cancelled = true;
      },
    });
    const put = supabaseObjects(refusing, { bucket: 'recordings' }).put('a', stalled, { contentType });
    await expect(put).rejects.toMatchObject({ code: 'invalid_configuration' });
    expect(cancelled).toBe(true);
    await standIn.close();
  });

  test('says that it cannot refuse where a version exists', async () => {
    const { standIn, objects } = await stage();
    const put = objects.put('a', bytes('x'), { contentType, ifExists: 'refuse' });
    await expect(put).rejects.toMatchObject({ code: 'invalid_input' });
    await standIn.close();
  });

  test('tells that it moves while it reads back what it stored', async () => {
    const { standIn, objects } = await stage();
    let moves = 0;
    await objects.put('a', bytes('x'), { contentType, moved: () => void moves++ });
    expect(moves).toBeGreaterThan(0);
    await standIn.close();
  });

  test('reads nothing back where that is turned off', async () => {
    const { standIn, client } = await stage();
    const objects = supabaseObjects(client, {
      bucket: 'recordings',
      readBack: false,
      fetch: () => Promise.reject(new Error('nothing is to be read')),
    });
    const head = await objects.put('a', bytes('x'), { contentType });
    expect(toHex(head.sha256)).toBe(toHex(sha256(bytes('x'))));
    await standIn.close();
  });

  test('asks that nothing is cached', async () => {
    const { standIn, objects } = await stage();
    await objects.put('a', bytes('x'), { contentType });
    expect([...standIn.objects.values()].map(({ cacheControl }) => cacheControl)).toEqual(
      Array(2).fill('private, no-store'),
    );
    await standIn.close();
  });
});

/** A client whose process dies before its nth call of Storage: that one and all after it never reach it. */
function dyingBefore(n: number, client: SupabaseStorageLike): SupabaseStorageLike {
  let calls = 0;
  const alive = <Args extends unknown[], Answer>(call: (...args: Args) => PromiseLike<Answer>) => {
    return async (...args: Args): Promise<Answer> => {
      calls += 1;
      if (calls >= n) throw new Error('dead');
      return call(...args);
    };
  };
  const api = client.storage.from('recordings');
  return {
    storage: {
      getBucket: (id) => client.storage.getBucket(id),
      from: () => ({
        upload: alive((path, body, options) => api.upload(path, body, options)),
        listV2: alive((options) => api.listV2(options)),
        remove: alive((paths) => api.remove(paths)),
        createSignedUrl: alive((path, expiresIn, options) => api.createSignedUrl(path, expiresIn, options)),
      }),
    },
  };
}

describe('a process that dies', () => {
  test('in a put at any call leaves a whole version or one that abortUploads finds, and nothing beyond', async () => {
    const { standIn, client, objects } = await stage();
    let ended = 0;
    for (let n = 1; ended === 0; n++) {
      const key = `p/${n}`;
      const dying = supabaseObjects(dyingBefore(n, client), { bucket: 'recordings' });
      await dying.put(key, bytes('whole'), { contentType }).then(
        () => (ended = n),
        () => undefined,
      );
      const got = await objects.get(key);
      if (got !== undefined) expect(await new Response(got.body as BodyInit).text()).toBe('whole');
      const { versions } = await objects.listVersions(key);
      expect(versions).toHaveLength(got === undefined ? 0 : 1);
      const unfinished = await objects.abortUploads(key);
      expect(unfinished + versions.length).toBeLessThanOrEqual(1);
      await objects.deleteVersions(versions);
      expect(standIn.objects.size, `died before call ${n}`).toBe(0);
    }
    expect(ended).toBe(6); // list, upload, link to read back, mark, list: none was left out
    await standIn.close();
  });

  test('in a deletion at any call leaves what a listing shows, until the next one ends it', async () => {
    const { standIn, client, objects } = await stage();
    let ended = 0;
    for (let n = 1; ended === 0; n++) {
      const heads = [
        await objects.put('p/a', bytes('1'), { contentType }),
        await objects.put('p/b', bytes('2'), { contentType }),
      ];
      const dying = supabaseObjects(dyingBefore(n, client), { bucket: 'recordings' });
      await dying.deleteVersions(heads).then(
        () => (ended = n),
        () => undefined,
      );
      const left = (await objects.listVersions('p/')).versions;
      expect(left.length > 0).toBe(standIn.objects.size > 0);
      expect((await objects.deleteVersions(left)).errors).toEqual([]);
      expect(standIn.objects.size).toBe(0);
    }
    expect(ended).toBe(3);
    await standIn.close();
  });
});

describe('a deletion that died', () => {
  test('after the bytes and before the mark is still listed, and finished by the next one', async () => {
    const { standIn, objects } = await stage();
    const { versionId } = await objects.put('p/a', bytes('x'), { contentType });
    standIn.objects.delete(`recordings/${namesOf('p/a', versionId)?.bytes}`);
    expect((await objects.listVersions('p/')).versions).toMatchObject([{ key: 'p/a', versionId, size: 0 }]);
    expect(await objects.head('p/a')).toBeUndefined();
    await objects.deleteVersions([{ key: 'p/a', versionId }]);
    expect(standIn.objects.size).toBe(0);
    await standIn.close();
  });

  test('and what may not be deleted is never reported as deleted', async () => {
    const { standIn, objects } = await stage();
    const { versionId } = await objects.put('a', bytes('x'), { contentType });
    standIn.undeletable.add(namesOf('a', versionId)?.mark ?? '');
    const { deleted, errors } = await objects.deleteVersions([{ key: 'a', versionId }]);
    expect([deleted, errors.map(({ reason }) => reason)]).toEqual([[], ['locked']]);
    expect((await objects.listVersions('')).versions).toHaveLength(1);
    await standIn.close();
  });
});

describe('a link', () => {
  test('says when it ends, as Storage signed it, and saves under the name that was asked for', async () => {
    const { clock, standIn, objects } = await stage();
    const { versionId } = await objects.put('a', bytes('x'), { contentType });
    const { url, expiresAt } = await objects.presignGet('a', {
      versionId,
      expiresInSeconds: 300,
      contentDisposition: `attachment; filename="recording-1f.webm"; filename*=UTF-8''recording-1f.webm`,
    });
    expect(expiresAt.getTime()).toBeLessThanOrEqual(clock.now().getTime() + 300_000);
    expect(expiresAt.getTime()).toBeGreaterThan(clock.now().getTime() + 298_000);
    const response = await fetch(url);
    expect(response.headers.get('content-disposition')).toContain('filename=recording-1f.webm;');
    await response.body?.cancel();
    await standIn.close();
  });

  test('to what is not there is not made', async () => {
    const { standIn, objects } = await stage();
    const { versionId } = await objects.put('a', bytes('x'), { contentType });
    for (const [key, id] of [
      ['b', versionId],
      ['a', 'v'],
    ] as const)
      await expect(objects.presignGet(key, { versionId: id, expiresInSeconds: 60 })).rejects.toMatchObject({
        code: 'not_found',
      });
    await standIn.close();
  });
});
