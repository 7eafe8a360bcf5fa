import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { type ObjectStore, sha256, toHex } from '@medzen/core';
import { fakeClock, objectStoreCases, registerCases } from '@medzen/testing';
import { createS3Server, type S3Server, type S3ServerOptions } from '@medzen/testing/s3-server';
import { afterEach, describe, expect, test } from 'vitest';
import { s3StoreContext } from './s3/object-store-context.fixture.ts';
import { type S3ObjectsOptions, s3Objects } from './s3.ts';

const contentType = 'video/webm';
const MiB = 1024 * 1024;
const kms = { algorithm: 'aws:kms', keyId: 'testkey-1' } as const;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

let servers: S3Server[] = [];
afterEach(async () => {
  for (const server of servers) await server.close().catch(() => undefined); // a test may have closed it
  servers = [];
});

async function start(options: S3ServerOptions = {}): Promise<S3Server> {
  const server = await createS3Server(options);
  servers.push(server);
  return server;
}

describe('objects in S3', { meta: { carrier: 'S3 stand-in' } }, () => {
  const { skipped } = registerCases(objectStoreCases, {
    test,
    skip: test.skip,
    capabilities: [
      'conditional-put',
      'link-headers',
      'delete-markers',
      'object-lock',
      'lock-heads',
      'movable-clock',
      'direct-read',
      'unfinished-uploads',
      'outage',
    ],
    createContext: async () => {
      const clock = fakeClock();
      const server = await start({ clock });
      return s3StoreContext({
        config: {
          endpoint: server.endpoint,
          region: server.region,
          credentials: server.credentials,
          systemClockOffset: clock.now().getTime() - Date.now(),
          maxAttempts: 1,
        },
        bucket: 'recordings',
        objectLock: true,
        encryption: kms,
        clock,
        advance: async (ms) => clock.advance(ms),
        breakDown: () => server.close(),
      });
    },
  });
  test('leave no case out', () => {
    expect(skipped).toEqual([]);
  });
});

async function setUp(
  options: S3ServerOptions = {},
  more: Partial<S3ObjectsOptions> = {},
): Promise<{ server: S3Server; objects: ObjectStore; client: S3Client }> {
  const server = await start(options);
  const { client } = await s3StoreContext({
    config: { endpoint: server.endpoint, region: server.region, credentials: server.credentials },
    bucket: 'recordings',
    objectLock: false,
    encryption: kms,
  });
  const partSize = 5 * MiB;
  return { server, client, objects: s3Objects({ client, bucket: 'recordings', encryption: kms, partSize, ...more }) };
}

function source(size: number, chunk = MiB) {
  const state = { pulled: 0, ahead: 0 };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (state.pulled >= size) return controller.close();
        const next = new Uint8Array(Math.min(chunk, size - state.pulled)).fill(state.pulled / chunk);
        state.pulled += next.length;
        return controller.enqueue(next);
      },
    },
    { highWaterMark: 0 },
  );
  return { state, stream };
}

describe('a put into S3', () => {
  test('never holds more than a part of its source', async () => {
    const { server, objects } = await setUp();
    const { stream, state } = source(33 * MiB);
    let ahead = 0;
    const watch = setInterval(() => {
      const parts = server.log.filter((line) => line.operation === 'UploadPart').length;
      ahead = Math.max(ahead, state.pulled - parts * 5 * MiB);
    }, 0);
    server.faults.latency(15, { operation: 'UploadPart' });
    const head = await objects.put('k', stream, { contentType });
    clearInterval(watch);
    expect(head.size).toBe(33 * MiB);
    // one part being sent, and the chunk that ran over its end
    expect(ahead).toBeLessThanOrEqual(6 * MiB);
    expect(server.log.filter((line) => line.operation === 'UploadPart')).toHaveLength(7);
  });

  test('survives what S3 does to everyone: slow downs, errors and cut connections', async () => {
    const { server, objects } = await setUp();
    server.faults.fail({ match: { operation: 'CreateMultipartUpload' }, code: 'SlowDown', status: 503 });
    server.faults.fail({ match: { operation: 'UploadPart' }, code: 'InternalError', status: 500 });
    server.faults.reset({ match: { operation: 'UploadPart' }, when: 'before' });
    const { stream } = source(12 * MiB);
    const head = await objects.put('k', stream, { contentType });
    const got = await objects.get('k', { versionId: head.versionId });
    const stored = new Uint8Array(
      await new Response(got?.body as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
    ); // bytes are bytes to a Response
    expect(toHex(sha256(stored))).toBe(toHex(head.sha256));
  });

  test('makes one version when the answer to it is lost', async () => {
    for (const size of [10, 12 * MiB]) {
      const operation = size < MiB ? 'PutObject' : 'CompleteMultipartUpload';
      const { server, objects } = await setUp();
      server.faults.reset({ match: { operation }, when: 'after' });
      const head = await objects.put('k', source(size).stream, { contentType });
      const { versions } = await objects.listVersions('');
      expect(versions.map(({ versionId }) => versionId)).toEqual([head.versionId]);
      expect(await objects.abortUploads('')).toBe(0);
    }
  });

  test('aborts its upload when a part fails for good, and tells why', async () => {
    const { server, objects } = await setUp();
    server.faults.fail({ match: { operation: 'UploadPart' }, times: 99, code: 'SlowDown', status: 503 });
    const put = objects.put('k', source(12 * MiB).stream, { contentType });
    await expect(put).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    expect(await objects.abortUploads('')).toBe(0);
    expect((await objects.listVersions('')).versions).toEqual([]);
  });

  test('refuses a store that does not encrypt as asked, and leaves nothing in it', async () => {
    const { objects, client } = await setUp({ defaultEncryption: 'none' });
    client.middlewareStack.add(
      (next) => async (args) => {
        const { headers } = args.request as { headers: Record<string, string> }; // an HTTP request at this step
        delete headers['x-amz-server-side-encryption'];
        delete headers['x-amz-server-side-encryption-aws-kms-key-id'];
        return next(args);
      },
      { step: 'build', priority: 'low' },
    );
    for (const size of [10, 6 * MiB]) {
      const put = objects.put('k', source(size).stream, { contentType });
      await expect(put).rejects.toMatchObject({ code: 'invalid_configuration' });
    }
    expect((await objects.listVersions('')).versions).toEqual([]);
  });

  test('reads AES256 back, and compares nothing when told so', async () => {
    const { objects, client } = await setUp({}, { encryption: { algorithm: 'AES256' } });
    expect((await objects.put('a', bytes('x'), { contentType })).encryption).toEqual({ algorithm: 'AES256' });
    const lax = s3Objects({ client, bucket: 'recordings', encryption: 'none' });
    expect((await lax.put('b', bytes('x'), { contentType })).encryption).toEqual({ algorithm: 'AES256' });
  });

  test('refuses a bucket without versions', async () => {
    const { server, client } = await setUp({ versioning: 'Off' });
    await client.send(new CreateBucketCommand({ Bucket: 'plain' }));
    const objects = s3Objects({ client, bucket: 'plain', encryption: kms });
    await expect(objects.put('k', bytes('x'), { contentType })).rejects.toMatchObject({
      code: 'invalid_configuration',
    });
    expect(server.log.at(-1)?.status).toBeLessThan(500);
  });

  test('names a missing bucket and a missing permission for what they are', async () => {
    const { server, objects, client } = await setUp();
    const nowhere = s3Objects({ client, bucket: 'nowhere', encryption: kms });
    await expect(nowhere.listVersions('')).rejects.toMatchObject({ code: 'invalid_configuration' });
    server.faults.fail({ match: { operation: 'HeadObject' }, code: 'AccessDenied', status: 403 });
    await expect(objects.head('k')).rejects.toMatchObject({ code: 'store_unavailable', retryable: false });
  });
});

describe('heads and deletions in S3', () => {
  test('know the digest of objects that others put, by reading them', async () => {
    const { server, objects } = await setUp();
    server.faults.fail({ match: { operation: 'PutObjectTagging' }, times: 9, code: 'AccessDenied', status: 403 });
    let moves = 0;
    const moved = (): void => void moves++;
    const head = await objects.put('k', source(6 * MiB).stream, { contentType, moved });
    const byPut = moves;
    await objects.head('k', undefined, { moved });
    expect([byPut > 0, moves > byPut]).toEqual([true, true]); // who waits only while something moves can wait
    expect(toHex((await objects.head('k'))?.sha256 ?? new Uint8Array())).toBe(toHex(head.sha256));
    expect(server.log.some((line) => line.operation === 'GetObject')).toBe(true);
    server.faults.fail({ match: { operation: 'GetObjectTagging' }, code: 'AccessDenied', status: 403 });
    expect((await objects.head('k'))?.size).toBe(6 * MiB);
    server.faults.fail({ match: { operation: 'GetObjectTagging' }, times: 9, code: 'SlowDown', status: 503 });
    await expect(objects.head('k')).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
  });

  test('find out bytes that were changed on the way', async () => {
    const { server, objects } = await setUp();
    await objects.put('k', bytes('0123456789'), { contentType });
    server.faults.corrupt({ match: { operation: 'GetObject' } });
    const got = await objects.get('k');
    const body = new Response(got?.body as ReadableStream<Uint8Array<ArrayBuffer>>); // bytes are bytes to a Response
    await expect(body.arrayBuffer()).rejects.toThrow();
  });

  test('read the errors inside a 200', async () => {
    const { server, objects } = await setUp();
    const heads = await Promise.all(['a', 'b', 'c', 'd'].map((key) => objects.put(key, bytes(key), { contentType })));
    server.faults.refuseDelete({ key: 'a', code: 'AccessDenied' });
    server.faults.refuseDelete({ key: 'b', code: 'SlowDown' });
    server.faults.refuseDelete({ key: 'c', code: 'NoSuchVersion' });
    const { deleted, errors } = await objects.deleteVersions(heads);
    expect(deleted.map(({ key }) => key)).toEqual(['c', 'd']);
    expect(errors.map(({ key, reason, code }) => [key, reason, code])).toEqual([
      ['a', 'locked', 'AccessDenied'],
      ['b', 'transient', 'SlowDown'],
    ]);
  });

  test('delete keys that XML cannot hold one by one', async () => {
    const { server, objects } = await setUp();
    const heads = await Promise.all(
      ['plain', 'bell\u0007', 'line\nend'].map((key) => objects.put(key, bytes(key), { contentType })),
    );
    const { deleted, errors } = await objects.deleteVersions(heads);
    expect([deleted.length, errors]).toEqual([3, []]);
    expect(server.log.filter((line) => line.operation === 'DeleteObject')).toHaveLength(2);
    expect((await objects.listVersions('')).versions).toEqual([]);
  });

  test('abort more uploads than one page lists', async () => {
    const { objects, server } = await setUp();
    const context = await s3StoreContext({
      config: { endpoint: server.endpoint, region: server.region, credentials: server.credentials },
      bucket: 'many',
      objectLock: false,
      encryption: kms,
    });
    for (let i = 0; i < 1003; i++) await context.leaveUpload(`p/${i}`);
    expect(await context.objects.abortUploads('p/')).toBe(1003);
    expect(await context.objects.abortUploads('')).toBe(0);
    expect(await objects.abortUploads('')).toBe(0);
  });
});

describe('links into S3', () => {
  test('end no later than temporary credentials do, and are dated a minute back', async () => {
    const clock = fakeClock('2026-01-01T00:00:00Z');
    const credentials = {
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: 'secret',
      sessionToken: 'token',
      expiration: new Date('2026-01-01T00:10:00Z'),
    };
    const encryption = kms;
    const objects = s3Objects({ bucket: 'bkt', config: { region: 'eu-west-1', credentials }, encryption, clock });
    const link = await objects.presignGet('k', { versionId: 'v', expiresInSeconds: 3600 });
    expect(link.expiresAt).toEqual(new Date('2026-01-01T00:10:00Z'));
    const url = new URL(link.url);
    expect(url.host).toBe('bkt.s3.eu-west-1.amazonaws.com');
    expect(url.searchParams.get('X-Amz-Date')).toBe('20251231T235900Z');
    expect(url.searchParams.get('X-Amz-Expires')).toBe('660');
    clock.set('2026-01-01T00:10:00Z');
    const late = objects.presignGet('k', { versionId: 'v', expiresInSeconds: 3600 });
    await expect(late).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
