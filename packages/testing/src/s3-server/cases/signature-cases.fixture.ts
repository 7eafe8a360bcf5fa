import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { refused, type S3CaseContext, type S3ServerCase } from './case-context.fixture.ts';

const body = 'the quick brown fox';
const sha256 = (text: string, encoding: 'hex' | 'base64') => createHash('sha256').update(text).digest(encoding);

function amzDate(offsetSeconds: number): string {
  return new Date(Date.now() + offsetSeconds * 1000).toISOString().replace(/[:-]|\.\d{3}/g, '');
}

async function store(context: S3CaseContext, key = 'a.txt'): Promise<string> {
  const put = await context.client.send(new PutObjectCommand({ Bucket: context.bucket, Key: key, Body: body }));
  assert.ok(put.VersionId);
  return put.VersionId;
}

/** A character that keeps a URL a URL but means something else. */
function altered(char: string): string {
  if (/[0-8]/.test(char)) return String(Number(char) + 1);
  if (char === '9') return '0';
  if (/[a-yA-Y]/.test(char)) return String.fromCharCode(char.charCodeAt(0) + 1);
  return 'b';
}

/** Signatures, dates, scopes and payload hashes. */
export const signatureCases: readonly S3ServerCase[] = [
  {
    id: 's3.signature.header',
    title: 'a header signature by another signer is accepted',
    requires: [],
    run: async (context) => {
      await store(context);
      const response = await context.send({ path: `/${context.bucket}/a.txt` });
      assert.equal(response.status, 200);
      assert.equal(await response.text(), body);
    },
  },
  {
    id: 's3.signature.anonymous',
    title: 'a request without a signature is refused',
    requires: [],
    run: async (context) => {
      await store(context);
      await refused(await fetch(`${context.endpoint}/${context.bucket}/a.txt`), 403, 'AccessDenied');
    },
  },
  {
    id: 's3.signature.wrong-secret',
    title: 'a signature made with another secret is refused',
    requires: [],
    run: async (context) => {
      const credentials = { ...context.credentials, secretAccessKey: 'another' };
      const response = await context.send({ path: `/${context.bucket}/a.txt`, credentials });
      await refused(response, 403, 'SignatureDoesNotMatch');
    },
  },
  {
    id: 's3.signature.unknown-key',
    title: 'an unknown access key is refused by name',
    requires: [],
    run: async (context) => {
      const credentials = { ...context.credentials, accessKeyId: 'NOBODY' };
      const response = await context.send({ path: `/${context.bucket}/a.txt`, credentials });
      await refused(response, 403, 'InvalidAccessKeyId');
    },
  },
  {
    id: 's3.signature.skew',
    title: 'a header signature more than fifteen minutes old or early is refused',
    requires: [],
    run: async (context) => {
      for (const offset of [-1000, 1000]) {
        const response = await context.send({ path: `/${context.bucket}/a.txt`, datetime: amzDate(offset) });
        await refused(response, 403, 'RequestTimeTooSkewed');
      }
    },
  },
  {
    id: 's3.signature.region',
    title: 'a signature for another region is refused',
    requires: ['region-checked'],
    run: async (context) => {
      const response = await context.send({ path: `/${context.bucket}/a.txt`, region: 'eu-west-3' });
      await refused(response, 400, 'AuthorizationHeaderMalformed');
    },
  },
  {
    id: 's3.signature.header-added',
    title: 'an x-amz header that was not signed is refused',
    requires: ['unsigned-headers-refused'],
    run: async (context) => {
      await store(context);
      const signed = await context.sign({ path: `/${context.bucket}/a.txt` });
      signed.headers.set('x-amz-checksum-mode', 'ENABLED');
      await refused(await fetch(signed.url, { headers: signed.headers }), 403, 'AccessDenied');
    },
  },
  {
    id: 's3.signature.header-missing',
    title: 'a signed header that does not arrive breaks the signature',
    requires: [],
    run: async (context) => {
      await store(context);
      const signed = await context.sign({
        path: `/${context.bucket}/a.txt`,
        headers: { 'x-amz-checksum-mode': 'ENABLED' },
      });
      signed.headers.delete('x-amz-checksum-mode');
      await refused(await fetch(signed.url, { headers: signed.headers }), 403, 'SignatureDoesNotMatch');
    },
  },
  {
    id: 's3.signature.two-mechanisms',
    title: 'a header and a query signature at once are refused',
    requires: [],
    run: async (context) => {
      const link = await context.sign({ path: `/${context.bucket}/a.txt`, link: 60 });
      const header = await context.sign({ path: `/${context.bucket}/a.txt` });
      const response = await fetch(link.url, { headers: header.headers });
      await response.text();
      assert.ok(response.status === 400 || response.status === 403);
    },
  },
  {
    id: 's3.payload.digest',
    title: 'a body that is not the one whose SHA-256 was signed is refused and not stored',
    requires: [],
    run: async (context) => {
      const response = await context.send({
        method: 'PUT',
        path: `/${context.bucket}/b.txt`,
        headers: { 'x-amz-content-sha256': sha256('another body', 'hex') },
        body,
      });
      await refused(response, 400, 'XAmzContentSHA256Mismatch');
      assert.equal((await context.send({ path: `/${context.bucket}/b.txt` })).status, 404);
    },
  },
  {
    id: 's3.payload.unsigned',
    title: 'UNSIGNED-PAYLOAD stores whatever arrives',
    requires: [],
    run: async (context) => {
      const response = await context.send({
        method: 'PUT',
        path: `/${context.bucket}/b.txt`,
        headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
        body,
      });
      assert.equal(response.status, 200);
    },
  },
  {
    id: 's3.link.accepted',
    title: 'links by two signers are accepted, and answer with the overrides they carry',
    requires: [],
    run: async (context) => {
      const versionId = await store(context, 'dir/ü a+b.txt');
      const command = new GetObjectCommand({
        Bucket: context.bucket,
        Key: 'dir/ü a+b.txt',
        VersionId: versionId,
        ResponseContentDisposition: 'attachment; filename="x.txt"',
        ResponseContentType: 'text/x-test',
      });
      const bySdk = await fetch(await getSignedUrl(context.client, command, { expiresIn: 60 }));
      assert.equal(bySdk.status, 200);
      assert.equal(bySdk.headers.get('content-disposition'), 'attachment; filename="x.txt"');
      assert.equal(bySdk.headers.get('content-type'), 'text/x-test');
      assert.equal(bySdk.headers.get('x-amz-version-id'), versionId);
      await store(context, 'plain.txt');
      const byOther = await context.sign({ path: `/${context.bucket}/plain.txt`, link: 60 });
      assert.equal((await fetch(byOther.url)).status, 200);
    },
  },
  {
    id: 's3.link.override-added',
    title: 'an override that was not signed breaks the link',
    requires: [],
    run: async (context) => {
      await store(context);
      const link = await context.sign({ path: `/${context.bucket}/a.txt`, link: 60 });
      const response = await fetch(`${link.url}&response-content-disposition=attachment`);
      await refused(response, 403, 'SignatureDoesNotMatch');
    },
  },
  {
    id: 's3.link.expired',
    title: 'a link is refused after its seconds are over',
    requires: [],
    run: async (context) => {
      await store(context);
      const link = await context.sign({ path: `/${context.bucket}/a.txt`, link: 60, datetime: amzDate(-120) });
      await refused(await fetch(link.url), 403, 'AccessDenied');
    },
  },
  {
    id: 's3.link.bounds',
    title: 'a link for nothing or for more than seven days is refused',
    requires: [],
    run: async (context) => {
      await store(context);
      for (const seconds of [0, 604_801]) {
        const link = await context.sign({ path: `/${context.bucket}/a.txt`, link: seconds });
        const response = await fetch(link.url);
        await response.text();
        assert.ok(response.status === 400 || response.status === 403, `${seconds} s gave ${response.status}`);
      }
      const week = await context.sign({ path: `/${context.bucket}/a.txt`, link: 604_800 });
      assert.equal((await fetch(week.url)).status, 200);
    },
  },
  {
    id: 's3.link.early',
    title: 'a link dated more than fifteen minutes ahead is refused',
    requires: ['future-links-refused'],
    run: async (context) => {
      await store(context);
      const link = await context.sign({ path: `/${context.bucket}/a.txt`, link: 60, datetime: amzDate(1000) });
      await refused(await fetch(link.url), 403, 'AccessDenied');
    },
  },
  {
    id: 's3.link.altered',
    title: 'a link with any one character changed is refused',
    requires: [],
    run: async (context) => {
      await store(context);
      const { url } = await context.sign({ path: `/${context.bucket}/a.txt`, link: 600 });
      const start = context.endpoint.length + 1;
      for (let at = start; at < url.length; at++) {
        const char = url[at] ?? '';
        if ('%/?&='.includes(char)) continue;
        const other = url.slice(0, at) + altered(char) + url.slice(at + 1);
        const response = await fetch(other);
        await response.arrayBuffer();
        assert.ok(response.status >= 400, `changing character ${at - start} of the link gave ${response.status}`);
      }
    },
  },
  {
    id: 's3.link.put-checksum',
    title: 'a signed upload link binds the checksum as a signed header',
    requires: ['put-checksums'],
    run: async (context) => {
      const headers = { 'x-amz-checksum-sha256': sha256(body, 'base64') };
      const link = await context.sign({ method: 'PUT', path: `/${context.bucket}/up.txt`, link: 60, headers });
      const wrong = await fetch(link.url, { method: 'PUT', headers, body: 'another body entirely' });
      await refused(wrong, 400, 'BadDigest');
      const bare = await fetch(link.url, { method: 'PUT', body });
      await refused(bare, 403, 'SignatureDoesNotMatch');
      assert.equal((await fetch(link.url, { method: 'PUT', headers, body })).status, 200);
    },
  },
  {
    id: 's3.link.put-checksum-in-query',
    title: 'a checksum in the query of an upload link is not looked at',
    requires: [],
    run: async (context) => {
      const query = { 'x-amz-checksum-sha256': sha256('another body', 'base64') };
      const link = await context.sign({ method: 'PUT', path: `/${context.bucket}/up.txt`, link: 60, query });
      assert.equal((await fetch(link.url, { method: 'PUT', body })).status, 200);
    },
  },
];
