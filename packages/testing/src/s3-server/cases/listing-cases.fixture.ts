import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { refused, rejects, type S3ServerCase } from './case-context.fixture.ts';

const put = (client: S3Client, Bucket: string, Key: string) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));

const deleteBody = (keys: readonly string[]) =>
  `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`;

/** Listings of versions and objects, and deletion of many. */
export const listingCases: readonly S3ServerCase[] = [
  {
    id: 's3.list.versions',
    title: 'versions and markers are listed newest first, and only under the prefix',
    requires: [],
    run: async ({ client, bucket }) => {
      const one = await put(client, bucket, 'p/a');
      const two = await put(client, bucket, 'p/a');
      const marker = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'p/a' }));
      await put(client, bucket, 'p/b');
      await put(client, bucket, 'pa');
      const page = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: 'p/' }));
      assert.deepEqual(
        page.Versions?.map((version) => [version.Key, version.VersionId, version.IsLatest]).slice(0, 2),
        [
          ['p/a', two.VersionId, false],
          ['p/a', one.VersionId, false],
        ],
      );
      assert.equal(page.Versions?.length, 3);
      assert.deepEqual(
        page.DeleteMarkers?.map((version) => [version.Key, version.VersionId, version.IsLatest]),
        [['p/a', marker.VersionId, true]],
      );
      assert.equal(page.IsTruncated, false);
    },
  },
  {
    id: 's3.list.versions-paging',
    title: 'pages of any size show every version and marker exactly once',
    requires: [],
    run: async ({ client, bucket }) => {
      const want = new Set<string>();
      for (const key of ['a', 'a', 'b', 'b', 'b', 'c', 'ü', '漢']) {
        const { VersionId } = await put(client, bucket, key);
        want.add(`${key} ${VersionId}`);
      }
      for (const key of ['a', 'b']) {
        const { VersionId } = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
        want.add(`${key} ${VersionId}`);
      }
      for (const size of [1, 2, 3, 1000]) {
        const seen: string[] = [];
        let KeyMarker: string | undefined;
        let VersionIdMarker: string | undefined;
        for (let pages = 0; pages < 20; pages++) {
          const page = await client.send(
            new ListObjectVersionsCommand({ Bucket: bucket, MaxKeys: size, KeyMarker, VersionIdMarker }),
          );
          const rows = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
          assert.ok(rows.length <= size);
          seen.push(...rows.map((row) => `${row.Key} ${row.VersionId}`));
          if (!page.IsTruncated) break;
          KeyMarker = page.NextKeyMarker;
          VersionIdMarker = page.NextVersionIdMarker;
        }
        assert.deepEqual([...seen].sort(), [...want].sort(), `pages of ${size}`);
      }
    },
  },
  {
    id: 's3.list.version-marker-alone',
    title: 'a version marker without a key marker is refused',
    requires: ['version-marker-checked'],
    run: async ({ bucket, send }) => {
      const response = await send({ path: `/${bucket}`, query: { versions: '', 'version-id-marker': 'x' } });
      await refused(response, 400, 'InvalidArgument');
    },
  },
  {
    id: 's3.list.objects',
    title: 'ListObjectsV2 pages through current objects with prefix and delimiter',
    requires: [],
    run: async ({ client, bucket }) => {
      for (const key of ['a/1', 'a/2', 'b/1', 'c', 'd']) await put(client, bucket, key);
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'd' }));
      const grouped = await client.send(new ListObjectsV2Command({ Bucket: bucket, Delimiter: '/' }));
      assert.deepEqual(
        grouped.Contents?.map((row) => row.Key),
        ['c'],
      );
      assert.deepEqual(
        grouped.CommonPrefixes?.map((row) => row.Prefix),
        ['a/', 'b/'],
      );
      const seen: (string | undefined)[] = [];
      let ContinuationToken: string | undefined;
      do {
        const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 2, ContinuationToken }));
        seen.push(...(page.Contents ?? []).map((row) => row.Key));
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
      assert.deepEqual(seen, ['a/1', 'a/2', 'b/1', 'c']);
    },
  },
  {
    id: 's3.list.order',
    title: 'keys are listed in the order of their UTF-8 bytes',
    requires: [],
    run: async ({ client, bucket }) => {
      const keys = ['Z', 'a', 'é', '￿', '\u{1f600}'];
      for (const key of [...keys].reverse()) await put(client, bucket, key);
      const page = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
      assert.deepEqual(
        page.Contents?.map((row) => row.Key),
        keys,
      );
    },
  },
  {
    id: 's3.list.url-encoding',
    title: 'encoding-type=url percent-encodes keys',
    requires: [],
    run: async ({ client, bucket }) => {
      await put(client, bucket, 'a b/+&<.txt');
      const page = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, EncodingType: 'url' }));
      const key = decodeURIComponent((page.Versions?.[0]?.Key ?? '').replaceAll('+', ' '));
      assert.equal(key, 'a b/+&<.txt');
    },
  },
  {
    id: 's3.delete.many',
    title: 'a multi-delete removes versions and markers for good and makes markers where no version is named',
    requires: [],
    run: async ({ client, bucket }) => {
      const a = await put(client, bucket, 'a');
      const marker = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a' }));
      await put(client, bucket, 'b');
      const result = await client.send(
        new DeleteObjectsCommand({
          Bucket: bucket,
          Delete: {
            Objects: [{ Key: 'a', VersionId: a.VersionId }, { Key: 'a', VersionId: marker.VersionId }, { Key: 'b' }],
          },
        }),
      );
      assert.equal(result.Errors, undefined);
      assert.equal(result.Deleted?.length, 3);
      const left = await client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
      assert.deepEqual(
        left.Versions?.map((row) => row.Key),
        ['b'],
      );
      assert.deepEqual(
        left.DeleteMarkers?.map((row) => row.Key),
        ['b'],
      );
    },
  },
  {
    id: 's3.delete.many-gone',
    title: 'a version that is gone already counts as deleted',
    requires: [],
    run: async ({ client, bucket }) => {
      const { VersionId } = await put(client, bucket, 'a');
      const again = () =>
        client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [{ Key: 'a', VersionId }] } }));
      await again();
      const second = await again();
      assert.equal(second.Errors, undefined);
      assert.equal(second.Deleted?.length, 1);
    },
  },
  {
    id: 's3.delete.many-quiet',
    title: 'a quiet multi-delete names errors only',
    requires: [],
    run: async ({ client, bucket }) => {
      const { VersionId } = await put(client, bucket, 'a');
      const result = await client.send(
        new DeleteObjectsCommand({ Bucket: bucket, Delete: { Quiet: true, Objects: [{ Key: 'a', VersionId }] } }),
      );
      assert.deepEqual([result.Deleted, result.Errors], [undefined, undefined]);
    },
  },
  {
    id: 's3.delete.many-limit',
    title: 'a multi-delete of 1001 keys or of no XML is refused',
    requires: [],
    run: async ({ bucket, send }) => {
      const many = Array.from({ length: 1001 }, (_, i) => `k${i}`);
      for (const body of [deleteBody(many), '<Delete><Object>']) {
        const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
        const response = await send({ method: 'POST', path: `/${bucket}`, query: { delete: '' }, headers, body });
        assert.equal(response.status, 400);
      }
    },
  },
  {
    id: 's3.delete.many-malformed',
    title: 'a multi-delete of 1001 keys, of none, or of no XML is called malformed',
    requires: ['strict-multi-delete'],
    run: async ({ bucket, send }) => {
      const many = Array.from({ length: 1001 }, (_, i) => `k${i}`);
      for (const body of [deleteBody(many), deleteBody([]), '<Delete><Object>']) {
        const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
        const response = await send({ method: 'POST', path: `/${bucket}`, query: { delete: '' }, headers, body });
        await refused(response, 400, 'MalformedXML');
      }
    },
  },
  {
    id: 's3.delete.many-digest',
    title: 'a multi-delete without a digest of its body, or with a wrong one, is refused',
    requires: ['strict-multi-delete'],
    run: async ({ bucket, send }) => {
      const body = deleteBody(['a']);
      const bare = await send({ method: 'POST', path: `/${bucket}`, query: { delete: '' }, body });
      await refused(bare, 400, 'InvalidRequest');
      const headers = { 'content-md5': createHash('md5').update('other').digest('base64') };
      const wrong = await send({ method: 'POST', path: `/${bucket}`, query: { delete: '' }, headers, body });
      await refused(wrong, 400, 'BadDigest');
    },
  },
  {
    id: 's3.delete.missing-bucket',
    title: 'a multi-delete in a bucket that does not exist is refused as a whole',
    requires: [],
    run: async ({ client }) => {
      const Delete = { Objects: [{ Key: 'a' }] };
      const call = client.send(new DeleteObjectsCommand({ Bucket: 'no-such-bucket-anywhere', Delete }));
      await rejects(call, 404, 'NoSuchBucket');
    },
  },
];
