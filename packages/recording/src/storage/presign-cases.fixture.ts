import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { ContractCase } from '@medzen/testing';
import { presignGetUrl, presignPutUrl } from './presign-get-url.ts';

/** What a case is told of the server it runs against. */
export interface PresignCaseContext {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Fresh and versioned. */
  readonly bucket: string;
  readonly client: { send(command: PutObjectCommand): Promise<{ readonly VersionId?: string | undefined }> };
}

const keys: readonly string[] = ['default/2026/11/0193504e/video.webm', `a b+c&d=e%2F'(!*)~ü/漢 \u{1f600}.webm`];

/** Our links against a real server or the strict one: what is accepted, and that nothing altered is. */
export const presignCases: readonly ContractCase<PresignCaseContext>[] = [
  {
    id: 'presign.accepted',
    title: 'our links are accepted for any key, pin a version and carry overrides',
    requires: [],
    run: async ({ client, ...target }) => {
      for (const key of keys) {
        const { VersionId = '' } = await client.send(
          new PutObjectCommand({ Bucket: target.bucket, Key: key, Body: 'first' }),
        );
        await client.send(new PutObjectCommand({ Bucket: target.bucket, Key: key, Body: 'second' }));
        const url = presignGetUrl({
          ...target,
          key,
          expiresIn: 60,
          versionId: VersionId,
          responseContentDisposition: `inline; filename="recording.webm"; filename*=UTF-8''r%C3%A9.webm`,
          responseContentType: 'video/webm',
        });
        const response = await fetch(url);
        assert.equal(await response.text(), 'first');
        assert.equal(response.headers.get('content-type'), 'video/webm');
        assert.match(response.headers.get('content-disposition') ?? '', /^inline; filename="recording.webm"/);
        const part = await fetch(url, { headers: { range: 'bytes=1-2' } });
        assert.deepEqual([part.status, await part.text()], [206, 'ir']);
      }
    },
  },
  {
    id: 'presign.altered',
    title: 'our link with any one character changed is refused',
    requires: [],
    run: async ({ client, ...target }) => {
      const key = 'default/video.webm';
      await client.send(new PutObjectCommand({ Bucket: target.bucket, Key: key, Body: 'bytes' }));
      const url = presignGetUrl({ ...target, key, expiresIn: 600, responseContentType: 'video/webm' });
      assert.equal((await fetch(url)).status, 200);
      for (let at = target.endpoint.length + 1; at < url.length; at++) {
        const char = url[at] ?? '';
        const other = url.slice(0, at) + (char === 'b' ? 'c' : 'b') + url.slice(at + 1);
        const response = await fetch(other);
        await response.arrayBuffer();
        assert.ok(response.status >= 400, `character ${at} changed gave ${response.status}`);
      }
    },
  },
  {
    id: 'presign.expired',
    title: 'our link is refused after its seconds',
    requires: [],
    run: async ({ client, ...target }) => {
      await client.send(new PutObjectCommand({ Bucket: target.bucket, Key: 'k', Body: 'bytes' }));
      const minuteAgo = new Date(Date.now() - 60_000);
      assert.equal((await fetch(presignGetUrl({ ...target, key: 'k', expiresIn: 50, now: minuteAgo }))).status, 403);
      assert.equal((await fetch(presignGetUrl({ ...target, key: 'k', expiresIn: 90, now: minuteAgo }))).status, 200);
    },
  },
  {
    id: 'presign.put',
    title: 'our upload link takes the body of its size and type only',
    requires: [],
    run: async ({ client: _, ...target }) => {
      const body = 'the sound of a visit';
      const { url, headers } = presignPutUrl({
        ...target,
        key: 'up',
        expiresIn: 60,
        contentType: 'audio/webm',
        contentLength: body.length,
      });
      const { 'content-length': __, ...sent } = headers; // fetch sets it from the body
      const put = async (text: string, more: Record<string, string>) => {
        const response = await fetch(url, { method: 'PUT', headers: { ...sent, ...more }, body: text });
        await response.arrayBuffer();
        return response.status;
      };
      assert.equal(await put(`${body}!`, {}), 403);
      assert.equal(await put(body, { 'content-type': 'text/html' }), 403);
      assert.equal(await put(body, {}), 200);
    },
  },
  {
    id: 'presign.put-checksum',
    title: 'our upload link takes the body of its checksum only',
    requires: ['put-checksums'],
    run: async ({ client: _, ...target }) => {
      const checksumSha256 = createHash('sha256').update('right').digest('base64');
      const { url, headers } = presignPutUrl({ ...target, key: 'up', expiresIn: 60, checksumSha256 });
      assert.equal((await fetch(url, { method: 'PUT', headers, body: 'wrong' })).status, 400);
      assert.equal((await fetch(url, { method: 'PUT', headers, body: 'right' })).status, 200);
    },
  },
];
