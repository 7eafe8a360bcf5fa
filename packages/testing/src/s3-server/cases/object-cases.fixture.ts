import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { refused, rejects, type S3ServerCase } from './case-context.fixture.ts';

const text = '0123456789';
const sha256 = (value: string) => createHash('sha256').update(value).digest('base64');

/** Objects: headers, ranges, conditions, checksums, encryption, versions. */
export const objectCases: readonly S3ServerCase[] = [
  {
    id: 's3.object.roundtrip',
    title: 'content type, metadata and disposition come back on GET and HEAD',
    requires: [],
    run: async ({ client, bucket }) => {
      const input = {
        Bucket: bucket,
        Key: 'dir/a b+c_ü.webm',
        ContentType: 'video/webm',
        ContentDisposition: 'inline',
        Metadata: { one: '1' },
      };
      const put = await client.send(new PutObjectCommand({ ...input, Body: text }));
      const got = await client.send(new GetObjectCommand({ Bucket: bucket, Key: input.Key }));
      assert.equal(await got.Body?.transformToString(), text);
      for (const answer of [got, await client.send(new HeadObjectCommand({ Bucket: bucket, Key: input.Key }))]) {
        assert.equal(answer.ContentType, 'video/webm');
        assert.equal(answer.ContentDisposition, 'inline');
        assert.deepEqual(answer.Metadata, { one: '1' });
        assert.equal(answer.ContentLength, 10);
        assert.equal(answer.ETag, put.ETag);
        assert.equal(answer.VersionId, put.VersionId);
      }
      assert.equal(put.ETag, `"${createHash('md5').update(text).digest('hex')}"`);
    },
  },
  {
    id: 's3.object.missing',
    title: 'a missing key and a missing bucket are refused by name',
    requires: [],
    run: async ({ client, bucket, send }) => {
      await rejects(client.send(new GetObjectCommand({ Bucket: bucket, Key: 'none' })), 404, 'NoSuchKey');
      await rejects(client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'none' })), 404, 'NotFound');
      await refused(await send({ path: '/no-such-bucket-anywhere/a' }), 404, 'NoSuchBucket');
    },
  },
  {
    id: 's3.version.missing',
    title: 'a version that is gone is refused with 404 while others of its key stay',
    requires: [],
    run: async ({ client, bucket, send }) => {
      const first = await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a', VersionId: first.VersionId }));
      const gone = await send({ path: `/${bucket}/a`, query: { versionId: first.VersionId ?? '' } });
      assert.equal(gone.status, 404);
      assert.equal((await send({ path: `/${bucket}/a` })).status, 200);
    },
  },
  {
    id: 's3.version.missing-code',
    title: 'a version that is gone is called NoSuchVersion',
    requires: ['aws-error-codes'],
    run: async ({ client, bucket }) => {
      const first = await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a', VersionId: first.VersionId }));
      const gone = client.send(new GetObjectCommand({ Bucket: bucket, Key: 'a', VersionId: first.VersionId }));
      await rejects(gone, 404, 'NoSuchVersion');
    },
  },
  {
    id: 's3.object.range',
    title: 'one range answers 206 with its bytes; suffixes and open ends too',
    requires: [],
    run: async ({ client, bucket }) => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      for (const [range, want, header] of [
        ['bytes=2-4', '234', 'bytes 2-4/10'],
        ['bytes=7-', '789', 'bytes 7-9/10'],
        ['bytes=-3', '789', 'bytes 7-9/10'],
        ['bytes=-99', text, 'bytes 0-9/10'],
        ['bytes=8-99', '89', 'bytes 8-9/10'],
      ]) {
        const got = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'a', Range: range }));
        assert.equal(got.$metadata.httpStatusCode, 206);
        assert.equal(await got.Body?.transformToString(), want);
        assert.equal(got.ContentRange, header);
        assert.equal(got.ContentLength, want?.length);
      }
    },
  },
  {
    id: 's3.object.range-past-end',
    title: 'a range past the end is refused with 416',
    requires: [],
    run: async ({ client, bucket }) => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      const got = client.send(new GetObjectCommand({ Bucket: bucket, Key: 'a', Range: 'bytes=10-' }));
      await rejects(got, 416, 'InvalidRange');
    },
  },
  {
    id: 's3.object.put-if-none-match',
    title: 'If-None-Match: * writes once, and again after a delete marker',
    requires: ['conditional-put'],
    run: async ({ client, bucket }) => {
      const once = () => client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text, IfNoneMatch: '*' }));
      await once();
      await rejects(once(), 412, 'PreconditionFailed');
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a' }));
      await once();
    },
  },
  {
    id: 's3.object.put-if-match',
    title: 'If-Match writes over the version it names and no other',
    requires: ['conditional-put'],
    run: async ({ client, bucket }) => {
      const first = await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      const over = (etag: string | undefined) =>
        client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: 'next', IfMatch: etag }));
      await over(first.ETag);
      await rejects(over(first.ETag), 412, 'PreconditionFailed');
    },
  },
  {
    id: 's3.object.get-conditions',
    title: 'GET answers 304 and 412 to its conditions',
    requires: [],
    run: async ({ client, bucket, send }) => {
      const { ETag = '' } = await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      const path = `/${bucket}/a`;
      assert.equal((await send({ path, headers: { 'if-none-match': ETag } })).status, 304);
      assert.equal((await send({ path, headers: { 'if-match': '"other"' } })).status, 412);
      assert.equal((await send({ path, headers: { 'if-match': ETag } })).status, 200);
    },
  },
  {
    id: 's3.object.md5',
    title: 'a wrong Content-MD5 is refused, and one that is no MD5 too',
    requires: [],
    run: async ({ bucket, send }) => {
      const put = (md5: string) =>
        send({ method: 'PUT', path: `/${bucket}/a`, headers: { 'content-md5': md5 }, body: text });
      await refused(await put(createHash('md5').update('other').digest('base64')), 400, 'BadDigest');
      await refused(await put('bm90IGFuIG1kNQ=='), 400, 'InvalidDigest');
      assert.equal((await put(createHash('md5').update(text).digest('base64'))).status, 200);
    },
  },
  {
    id: 's3.object.checksum',
    title: 'a wrong SHA-256 is refused, a right one is answered to HEAD in checksum mode only',
    requires: ['put-checksums'],
    run: async ({ client, bucket }) => {
      const put = (ChecksumSHA256: string) =>
        client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text, ChecksumSHA256 }));
      await rejects(put(sha256('other')), 400, 'BadDigest');
      await put(sha256(text));
      const plain = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'a' }));
      assert.equal(plain.ChecksumSHA256, undefined);
      const asked = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'a', ChecksumMode: 'ENABLED' }));
      assert.equal(asked.ChecksumSHA256, sha256(text));
      assert.equal(asked.ChecksumType, 'FULL_OBJECT');
    },
  },
  {
    id: 's3.object.streamed',
    title: 'a streamed body with a checksum trailer is stored as its bytes',
    requires: ['streaming-trailer'],
    run: async ({ client, bucket }) => {
      const body = Readable.from([Buffer.from(text.repeat(10_000))]);
      await client.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: 'a',
          Body: body,
          ContentLength: 100_000,
          ChecksumAlgorithm: 'SHA256',
        }),
      );
      const got = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'a' }));
      assert.equal(await got.Body?.transformToString(), text.repeat(10_000));
      assert.equal(got.ContentEncoding, undefined);
    },
  },
  {
    id: 's3.object.aes256',
    title: 'AES256 is read back with HEAD',
    requires: ['sse-s3'],
    run: async ({ client, bucket }) => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text, ServerSideEncryption: 'AES256' }));
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'a' }));
      assert.equal(head.ServerSideEncryption, 'AES256');
    },
  },
  {
    id: 's3.object.kms',
    title: 'aws:kms and its key are read back with HEAD',
    requires: [],
    run: async ({ client, bucket }) => {
      const SSEKMSKeyId = 'testkey-1';
      await client.send(
        new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text, ServerSideEncryption: 'aws:kms', SSEKMSKeyId }),
      );
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'a' }));
      assert.deepEqual([head.ServerSideEncryption, head.SSEKMSKeyId], ['aws:kms', SSEKMSKeyId]);
      const got = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'a' }));
      assert.equal(await got.Body?.transformToString(), text);
    },
  },
  {
    id: 's3.object.default-encryption',
    title: 'a write that names no encryption gets AES256',
    requires: ['default-encryption'],
    run: async ({ client, bucket }) => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'a' }));
      assert.equal(head.ServerSideEncryption, 'AES256');
    },
  },
  {
    id: 's3.object.unknown-encryption',
    title: 'an encryption that does not exist is refused',
    requires: [],
    run: async ({ bucket, send }) => {
      const response = await send({
        method: 'PUT',
        path: `/${bucket}/a`,
        headers: { 'x-amz-server-side-encryption': 'rot13' },
        body: text,
      });
      await response.text();
      assert.equal(response.status, 400);
    },
  },
  {
    id: 's3.version.marker',
    title: 'a delete makes a marker: the key is gone, its versions stay, and without the marker it is back',
    requires: [],
    run: async ({ client, bucket, send }) => {
      const put = await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      const deleted = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a' }));
      assert.equal(deleted.DeleteMarker, true);
      assert.ok(deleted.VersionId);
      await refused(await send({ path: `/${bucket}/a` }), 404, 'NoSuchKey');
      const old = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'a', VersionId: put.VersionId }));
      assert.equal(await old.Body?.transformToString(), text);
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a', VersionId: deleted.VersionId }));
      assert.equal((await send({ path: `/${bucket}/a` })).status, 200);
    },
  },
  {
    id: 's3.version.marker-read',
    title: 'a marker is told by a header, and reading it by its version is not allowed',
    requires: ['delete-marker-headers'],
    run: async ({ client, bucket, send }) => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      const { VersionId = '' } = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a' }));
      const gone = await send({ path: `/${bucket}/a` });
      assert.equal(gone.headers.get('x-amz-delete-marker'), 'true');
      const marker = await send({ path: `/${bucket}/a`, query: { versionId: VersionId } });
      assert.equal(marker.headers.get('allow'), 'DELETE');
      await refused(marker, 405, 'MethodNotAllowed');
    },
  },
  {
    id: 's3.version.delete-twice',
    title: 'deleting a version twice succeeds twice',
    requires: [],
    run: async ({ client, bucket }) => {
      const { VersionId } = await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: text }));
      for (let i = 0; i < 2; i++) {
        const { $metadata } = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a', VersionId }));
        assert.equal($metadata.httpStatusCode, 204);
      }
    },
  },
  {
    id: 's3.object.long-key',
    title: 'a key of more than 1024 bytes is refused',
    requires: [],
    run: async ({ bucket, send }) => {
      const long = await send({ method: 'PUT', path: `/${bucket}/${'k'.repeat(1025)}`, body: text });
      assert.equal(long.status, 400);
      assert.equal((await send({ method: 'PUT', path: `/${bucket}/${'k'.repeat(1024)}`, body: text })).status, 200);
    },
  },
];
