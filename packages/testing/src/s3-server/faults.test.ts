import { request as httpRequest } from 'node:http';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createS3Server, type S3Server, type S3ServerOptions } from '../s3-server.ts';

let server: S3Server;
let client: S3Client;

async function start(options: S3ServerOptions = {}): Promise<void> {
  server = await createS3Server({ buckets: ['bbb'], ...options });
  client = clientOf(server);
}

function clientOf(of: S3Server, more: Partial<S3Server['credentials']> = {}): S3Client {
  return new S3Client({
    endpoint: of.endpoint,
    region: of.region,
    credentials: { ...of.credentials, ...more },
    forcePathStyle: true,
    maxAttempts: 1,
  });
}

const put = (Key = 'a', Body = '0123456789') => client.send(new PutObjectCommand({ Bucket: 'bbb', Key, Body }));

async function bytesOf(): Promise<string | undefined> {
  const got = await client.send(new GetObjectCommand({ Bucket: 'bbb', Key: 'a' }));
  return got.Body?.transformToString();
}

describe('faults of the strict S3 server', () => {
  beforeEach(() => start());
  afterEach(() => server.close());

  test('fail the next matching requests only, and leave nothing behind', async () => {
    server.faults.fail({ match: { operation: 'PutObject', key: 'a' }, times: 2, code: 'SlowDown', status: 503 });
    await put('other');
    await expect(put()).rejects.toMatchObject({ name: 'SlowDown', $metadata: { httpStatusCode: 503 } });
    await expect(put()).rejects.toMatchObject({ name: 'SlowDown' });
    await expect(bytesOf()).rejects.toMatchObject({ name: 'NoSuchKey' });
    await put();
    expect(server.log.map((line) => line.status)).toEqual([200, 503, 503, 404, 200]);
  });

  test('cut the connection before the work', async () => {
    server.faults.reset({ match: { operation: 'PutObject' }, when: 'before' });
    await expect(put()).rejects.toThrow();
    await expect(bytesOf()).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('cut the connection after the work, so that the client cannot know', async () => {
    server.faults.reset({ match: { operation: 'PutObject' }, when: 'after' });
    await expect(put()).rejects.toThrow();
    expect(await bytesOf()).toBe('0123456789');
  });

  test('cut the connection in the middle of a body', async () => {
    await put();
    server.faults.reset({ match: { operation: 'GetObject' }, when: 'midway' });
    await expect(bytesOf()).rejects.toThrow();
    expect(await bytesOf()).toBe('0123456789');
  });

  test('flip a bit of a body', async () => {
    await put();
    server.faults.corrupt({ match: { operation: 'GetObject' } });
    const url = await getSignedUrl(client, new GetObjectCommand({ Bucket: 'bbb', Key: 'a' }));
    const spoilt = await (await fetch(url)).text();
    expect(spoilt).not.toBe('0123456789');
    expect(spoilt).toHaveLength(10);
    expect(await bytesOf()).toBe('0123456789');
  });

  test('put an error for one key inside a 200 of a multi-delete', async () => {
    const a = await put('a');
    const c = await put('c');
    server.faults.refuseDelete({ key: 'a', code: 'InternalError' });
    const Objects = [
      { Key: 'a', VersionId: a.VersionId },
      { Key: 'c', VersionId: c.VersionId },
    ];
    const first = await client.send(new DeleteObjectsCommand({ Bucket: 'bbb', Delete: { Objects } }));
    expect(first.Errors).toMatchObject([{ Key: 'a', VersionId: a.VersionId, Code: 'InternalError' }]);
    expect(first.Deleted).toMatchObject([{ Key: 'c' }]);
    const second = await client.send(new DeleteObjectsCommand({ Bucket: 'bbb', Delete: { Objects } }));
    expect(second.Errors).toBeUndefined();
  });

  test('are forgotten when cleared', async () => {
    server.faults.fail({ times: 9, code: 'SlowDown', status: 503 });
    server.faults.latency(60_000);
    server.faults.clear();
    await put();
    expect(server.log).toHaveLength(1);
  });
});

describe('options of the strict S3 server', () => {
  afterEach(() => server.close());

  test('a session token must be carried and must be the right one', async () => {
    await start({ sessionToken: 'token' });
    await put();
    client = clientOf(server, { sessionToken: 'other' });
    await expect(put()).rejects.toMatchObject({ name: 'InvalidToken' });
    const link = await getSignedUrl(clientOf(server), new GetObjectCommand({ Bucket: 'bbb', Key: 'a' }));
    expect((await fetch(link)).status).toBe(200);
    expect((await fetch(link.replace('Token=token', 'Token=tokem'))).status).toBe(400);
  });

  test('an injected clock expires a link to the second', async () => {
    let now = new Date('2026-01-01T00:00:00Z');
    await start({ clock: { now: () => now } });
    const signed = { expiresIn: 3600, signingDate: now };
    const link = await getSignedUrl(client, new GetObjectCommand({ Bucket: 'bbb', Key: 'a' }), signed);
    now = new Date('2026-01-01T01:00:00Z');
    expect((await fetch(link)).status).toBe(404);
    now = new Date('2026-01-01T01:00:01Z');
    const late = await fetch(link);
    expect(late.status).toBe(403);
    expect(await late.text()).toContain('<Message>Request has expired</Message>');
  });

  test('a store without default encryption answers none', async () => {
    await start({ defaultEncryption: 'none' });
    await put();
    const before = await client.send(new HeadObjectCommand({ Bucket: 'bbb', Key: 'a' }));
    expect(before.ServerSideEncryption).toBeUndefined();
    await client.send(
      new PutBucketEncryptionCommand({
        Bucket: 'bbb',
        ServerSideEncryptionConfiguration: {
          Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'k' } }],
        },
      }),
    );
    await put();
    const after = await client.send(new HeadObjectCommand({ Bucket: 'bbb', Key: 'a' }));
    expect([after.ServerSideEncryption, after.SSEKMSKeyId]).toEqual(['aws:kms', 'k']);
  });

  test('an unversioned bucket overwrites and deletes for good', async () => {
    await start({ versioning: 'Off' });
    await put('a', 'one');
    await put('a', 'two');
    expect(await bytesOf()).toBe('two');
    await client.send(new DeleteObjectCommand({ Bucket: 'bbb', Key: 'a' }));
    const listed = await client.send(new ListObjectVersionsCommand({ Bucket: 'bbb' }));
    expect([listed.Versions, listed.DeleteMarkers]).toEqual([undefined, undefined]);
  });

  test('a suspended bucket keeps old versions and one null version', async () => {
    await start();
    const first = await put('a', 'one');
    await client.send(
      new PutBucketVersioningCommand({ Bucket: 'bbb', VersioningConfiguration: { Status: 'Suspended' } }),
    );
    await put('a', 'two');
    await put('a', 'three');
    const listed = await client.send(new ListObjectVersionsCommand({ Bucket: 'bbb' }));
    expect(listed.Versions?.map((row) => row.VersionId)).toEqual(['null', first.VersionId]);
    await client.send(new DeleteObjectCommand({ Bucket: 'bbb', Key: 'a' }));
    const marked = await client.send(new ListObjectVersionsCommand({ Bucket: 'bbb' }));
    expect(marked.DeleteMarkers?.map((row) => row.VersionId)).toEqual(['null']);
    expect(marked.Versions?.map((row) => row.VersionId)).toEqual([first.VersionId]);
  });

  test('bucket names are checked and taken names refused', async () => {
    await start();
    const make = (Bucket: string) => client.send(new CreateBucketCommand({ Bucket }));
    await expect(make('bbb')).rejects.toMatchObject({ name: 'BucketAlreadyOwnedByYou' });
    await expect(make('No_Such')).rejects.toMatchObject({ name: 'InvalidBucketName' });
  });

  test('a virtual-hosted AWS link verifies when its Host reaches the server', async () => {
    await start({ region: 'eu-west-1' });
    await put();
    const aws = new S3Client({ region: 'eu-west-1', credentials: server.credentials });
    const link = new URL(await getSignedUrl(aws, new GetObjectCommand({ Bucket: 'bbb', Key: 'a' })));
    expect(link.host).toBe('bbb.s3.eu-west-1.amazonaws.com');
    const status = await new Promise((resolve, reject) => {
      const target = new URL(server.endpoint);
      const options = { host: target.hostname, port: target.port, path: link.pathname + link.search };
      httpRequest({ ...options, headers: { host: link.host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  });

  test('a body above the limit is refused', async () => {
    await start({ maxBodyBytes: 5 });
    await expect(put()).rejects.toMatchObject({ name: 'EntityTooLarge' });
  });
});
