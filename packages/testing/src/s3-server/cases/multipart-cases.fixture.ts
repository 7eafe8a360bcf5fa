import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  ListPartsCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { rejects, type S3ServerCase } from './case-context.fixture.ts';

const large: Uint8Array = new Uint8Array(5 * 1024 * 1024).fill(7);
const small: Uint8Array = new Uint8Array(1000).fill(8);

async function begin(client: S3Client, Bucket: string, Key: string): Promise<string> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ContentType: 'video/webm' }));
  assert.ok(UploadId);
  return UploadId;
}

async function part(
  client: S3Client,
  Bucket: string,
  Key: string,
  UploadId: string,
  PartNumber: number,
  Body: Uint8Array,
) {
  const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
  return { PartNumber, ETag };
}

/** Uploads in parts. */
export const multipartCases: readonly S3ServerCase[] = [
  {
    id: 's3.multipart.complete',
    title: 'parts become one object with a composite entity tag, and the upload is gone',
    requires: [],
    run: async ({ client, bucket }) => {
      const UploadId = await begin(client, bucket, 'm');
      const two = await part(client, bucket, 'm', UploadId, 2, small);
      const one = await part(client, bucket, 'm', UploadId, 1, large);
      const listed = await client.send(new ListPartsCommand({ Bucket: bucket, Key: 'm', UploadId }));
      assert.deepEqual(
        listed.Parts?.map((row) => [row.PartNumber, row.Size]),
        [
          [1, large.length],
          [2, 1000],
        ],
      );
      await client.send(
        new CompleteMultipartUploadCommand({
          Bucket: bucket,
          Key: 'm',
          UploadId,
          MultipartUpload: { Parts: [one, two] },
        }),
      );
      const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest();
      const etag = `"${md5(Buffer.concat([md5(large), md5(small)])).toString('hex')}-2"`;
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'm' }));
      assert.deepEqual([head.ContentLength, head.ContentType, head.ETag], [large.length + 1000, 'video/webm', etag]);
      const tail = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'm', Range: 'bytes=-1001' }));
      assert.deepEqual([...((await tail.Body?.transformToByteArray()) ?? [])].slice(0, 2), [7, 8]);
      const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      assert.equal(uploads.Uploads, undefined);
    },
  },
  {
    id: 's3.multipart.too-small',
    title: 'a part under 5 MiB that is not the last is refused, and the upload stays',
    requires: [],
    run: async ({ client, bucket }) => {
      const UploadId = await begin(client, bucket, 'm');
      const Parts = [
        await part(client, bucket, 'm', UploadId, 1, small),
        await part(client, bucket, 'm', UploadId, 2, small),
      ];
      const done = client.send(
        new CompleteMultipartUploadCommand({ Bucket: bucket, Key: 'm', UploadId, MultipartUpload: { Parts } }),
      );
      await rejects(done, 400, 'EntityTooSmall');
      const { Versions } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
      assert.equal(Versions, undefined);
      await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: 'm', UploadId }));
    },
  },
  {
    id: 's3.multipart.wrong-parts',
    title: 'a wrong entity tag and a missing part are refused by name, and the upload can still be completed',
    requires: [],
    run: async ({ client, bucket }) => {
      const UploadId = await begin(client, bucket, 'm');
      const one = await part(client, bucket, 'm', UploadId, 1, large);
      const two = await part(client, bucket, 'm', UploadId, 2, small);
      const complete = (Parts: { PartNumber: number; ETag: string | undefined }[]) =>
        client.send(
          new CompleteMultipartUploadCommand({ Bucket: bucket, Key: 'm', UploadId, MultipartUpload: { Parts } }),
        );
      await rejects(complete([one, { PartNumber: 2, ETag: one.ETag }]), 400, 'InvalidPart');
      await rejects(complete([one, { PartNumber: 3, ETag: one.ETag }]), 400, 'InvalidPart');
      await complete([one, two]);
    },
  },
  {
    id: 's3.multipart.order',
    title: 'parts out of order are refused by name',
    requires: ['part-order-checked'],
    run: async ({ client, bucket }) => {
      const UploadId = await begin(client, bucket, 'm');
      const one = await part(client, bucket, 'm', UploadId, 1, large);
      const two = await part(client, bucket, 'm', UploadId, 2, small);
      const MultipartUpload = { Parts: [two, one] };
      const done = client.send(
        new CompleteMultipartUploadCommand({ Bucket: bucket, Key: 'm', UploadId, MultipartUpload }),
      );
      await rejects(done, 400, 'InvalidPartOrder');
    },
  },
  {
    id: 's3.multipart.abort',
    title: 'an aborted upload is listed before and not after, and takes no more parts',
    requires: [],
    run: async ({ client, bucket }) => {
      const UploadId = await begin(client, bucket, 'p/m');
      await begin(client, bucket, 'other');
      await part(client, bucket, 'p/m', UploadId, 1, small);
      const uploads = async () => {
        const page = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: 'p/' }));
        return (page.Uploads ?? []).map((row) => [row.Key, row.UploadId]);
      };
      assert.deepEqual(await uploads(), [['p/m', UploadId]]);
      await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: 'p/m', UploadId }));
      assert.deepEqual(await uploads(), []);
      await rejects(part(client, bucket, 'p/m', UploadId, 2, small), 404, 'NoSuchUpload');
      const again = client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: 'p/m', UploadId }));
      await rejects(again, 404, 'NoSuchUpload');
    },
  },
  {
    id: 's3.multipart.paging',
    title: 'uploads in progress are listed in pages',
    requires: [],
    run: async ({ client, bucket }) => {
      const want = new Set<string>();
      for (const key of ['a', 'a', 'b', 'c']) want.add(await begin(client, bucket, key));
      const seen: string[] = [];
      let KeyMarker: string | undefined;
      let UploadIdMarker: string | undefined;
      for (let pages = 0; pages < 9; pages++) {
        const page = await client.send(
          new ListMultipartUploadsCommand({ Bucket: bucket, MaxUploads: 1, KeyMarker, UploadIdMarker }),
        );
        seen.push(...(page.Uploads ?? []).map((row) => row.UploadId ?? ''));
        if (!page.IsTruncated) break;
        KeyMarker = page.NextKeyMarker;
        UploadIdMarker = page.NextUploadIdMarker;
      }
      assert.deepEqual(seen.sort(), [...want].sort());
    },
  },
  {
    id: 's3.multipart.encryption',
    title: 'the encryption asked for at the beginning is read back from the object',
    requires: [],
    run: async ({ client, bucket }) => {
      const { UploadId } = await client.send(
        new CreateMultipartUploadCommand({
          Bucket: bucket,
          Key: 'm',
          ServerSideEncryption: 'aws:kms',
          SSEKMSKeyId: 'testkey-1',
        }),
      );
      assert.ok(UploadId);
      const Parts = [await part(client, bucket, 'm', UploadId, 1, small)];
      await client.send(
        new CompleteMultipartUploadCommand({ Bucket: bucket, Key: 'm', UploadId, MultipartUpload: { Parts } }),
      );
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'm' }));
      assert.deepEqual([head.ServerSideEncryption, head.SSEKMSKeyId], ['aws:kms', 'testkey-1']);
    },
  },
  {
    id: 's3.multipart.checksum',
    title: 'parts with SHA-256 give a composite checksum, and a wrong one is refused',
    requires: ['put-checksums'],
    run: async ({ client, bucket }) => {
      const { UploadId } = await client.send(
        new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'm', ChecksumAlgorithm: 'SHA256' }),
      );
      const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
      const upload = (PartNumber: number, Body: Uint8Array, ChecksumSHA256: string) =>
        client.send(new UploadPartCommand({ Bucket: bucket, Key: 'm', UploadId, PartNumber, Body, ChecksumSHA256 }));
      await rejects(upload(1, large, sha256(small).toString('base64')), 400, 'BadDigest');
      const one = await upload(1, large, sha256(large).toString('base64'));
      const two = await upload(2, small, sha256(small).toString('base64'));
      const Parts = [one, two].map(({ ETag, ChecksumSHA256 }, i) => ({ PartNumber: i + 1, ETag, ChecksumSHA256 }));
      await client.send(
        new CompleteMultipartUploadCommand({ Bucket: bucket, Key: 'm', UploadId, MultipartUpload: { Parts } }),
      );
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'm', ChecksumMode: 'ENABLED' }));
      const composite = sha256(Buffer.concat([sha256(large), sha256(small)])).toString('base64');
      assert.deepEqual([head.ChecksumSHA256, head.ChecksumType], [`${composite}-2`, 'COMPOSITE']);
    },
  },
];
