import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { isMedzenError } from '@medzen/core';
import { createS3Server, type S3Server } from '@medzen/testing/s3-server';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { presignGetUrl, presignPutUrl } from './presign-get-url.ts';
import { createPresigner } from './presigner.ts';

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, "An Example"
const example = {
  bucket: 'examplebucket',
  key: 'test.txt',
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
  expiresIn: 86_400,
  now: new Date('2013-05-24T00:00:00Z'),
};
const published =
  'https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256' +
  '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z' +
  '&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
  '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** Sends a URL byte for byte to the server, whatever host it names: `fetch` would tidy it up first. */
function sendRaw(
  server: S3Server,
  url: string,
  more: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const [, host = '', path = ''] = /^https?:\/\/([^/]+)(.*)$/.exec(url) ?? [];
  const target = new URL(server.endpoint);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        host: target.hostname,
        port: target.port,
        path,
        method: more.method ?? 'GET',
        headers: { ...more.headers, host },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(more.body);
  });
}

const codeOf = (answer: Answer) => /<Code>(\w+)</.exec(answer.text)?.[1];

function thrown(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    return isMedzenError(error) ? error.code : `not ours: ${error}`;
  }
  return undefined;
}

describe('presignGetUrl', () => {
  test("gives AWS's published example byte for byte", () => {
    expect(presignGetUrl(example)).toBe(published);
    expect(presignGetUrl({ ...example, endpoint: 'https://s3.amazonaws.com' })).toBe(published);
  });

  test('names the region in the host elsewhere, and the bucket in the path where a host name cannot carry it', () => {
    const start = (input: Partial<Parameters<typeof presignGetUrl>[0]>) =>
      presignGetUrl({ ...example, ...input }).split('?')[0];
    expect(start({ region: 'eu-west-3' })).toBe('https://examplebucket.s3.eu-west-3.amazonaws.com/test.txt');
    expect(start({ region: 'cn-north-1' })).toBe('https://examplebucket.s3.cn-north-1.amazonaws.com.cn/test.txt');
    expect(start({ bucket: 'a.bucket' })).toBe('https://s3.amazonaws.com/a.bucket/test.txt');
    expect(start({ endpoint: 'http://127.0.0.1:9000' })).toBe('http://127.0.0.1:9000/examplebucket/test.txt');
    expect(start({ endpoint: 'https://minio.test:443/' })).toBe('https://examplebucket.minio.test/test.txt');
    expect(start({ endpoint: 'https://minio.test', pathStyle: true })).toBe(
      'https://minio.test/examplebucket/test.txt',
    );
  });

  test('refuses what cannot be signed, by code and before signing', () => {
    const bad: Partial<Parameters<typeof presignGetUrl>[0]>[] = [
      { bucket: 'ab' },
      { bucket: 'Upper' },
      { bucket: 'a..b' },
      { bucket: '10.0.0.1' },
      { bucket: 'evil.com/x' },
      { bucket: 'x'.repeat(64) },
      { key: '' },
      { key: 'k'.repeat(1025) },
      { key: 'é'.repeat(513) },
      { key: '\ud800' },
      { expiresIn: 0 },
      { expiresIn: 604_801 },
      { expiresIn: 1.5 },
      { expiresIn: Number.NaN },
      { region: '' },
      { region: 'us east' },
      { region: 'us-east-1/s3' },
      { endpoint: 'not a url' },
      { endpoint: 'ftp://host' },
      { endpoint: 'https://host/path' },
      { endpoint: 'https://user:pass@host' },
      { now: new Date(Number.NaN) },
      { credentials: { accessKeyId: '', secretAccessKey: 'x' } },
      { credentials: { accessKeyId: 'x', secretAccessKey: '' } },
      { versionId: '\udfff' },
    ];
    for (const part of bad) {
      expect([part, thrown(() => presignGetUrl({ ...example, ...part }))]).toEqual([part, 'invalid_input']);
    }
    expect(thrown(() => presignGetUrl({ ...example, expiresIn: 1 }))).toBeUndefined();
    expect(thrown(() => presignGetUrl({ ...example, expiresIn: 604_800 }))).toBeUndefined();
  });

  test('does not mix up callers that differ in one member only', () => {
    const urls = [
      presignGetUrl(example),
      presignGetUrl({ ...example, region: 'us-east-2' }),
      presignGetUrl({ ...example, credentials: { ...example.credentials, secretAccessKey: 'other' } }),
      presignGetUrl({ ...example, credentials: { ...example.credentials, sessionToken: 't' } }),
      presignGetUrl({ ...example, pathStyle: true }),
      presignGetUrl({ ...example, endpoint: 'https://other.test' }),
    ];
    expect(new Set(urls.map((url) => url.slice(-64))).size).toBe(urls.length);
    expect(presignGetUrl(example)).toBe(urls[0]);
  });

  test('takes the date from the clock, and a new key on a new day', () => {
    let now = new Date('2026-01-01T23:59:59.900Z');
    const presigner = createPresigner({ ...example, clock: { now: () => now } });
    const input = { bucket: 'examplebucket', key: 'k', expiresIn: 60 };
    const today = presigner.get(input);
    expect(today).toContain('X-Amz-Date=20260101T235959Z');
    expect(today).toBe(presignGetUrl({ ...example, key: 'k', expiresIn: 60, now }));
    now = new Date('2026-01-02T00:00:00Z');
    const fresh = createPresigner({ ...example, clock: { now: () => now } });
    expect(presigner.get(input)).toBe(fresh.get(input));
  });

  test('is accepted for any input by a verifier that shares no code with it', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });
    const input = fc.record({
      bucket: fc.stringMatching(/^[a-z0-9][a-z0-9-]{1,20}[a-z0-9]$/),
      key: text,
      region: fc.constantFrom('us-east-1', 'eu-west-3', 'ap-southeast-2', 'us-gov-west-1'),
      secretAccessKey: fc.string({ minLength: 1, maxLength: 100 }),
      accessKeyId: fc.stringMatching(/^[A-Z0-9]{4,20}$/),
      sessionToken: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      expiresIn: fc.integer({ min: 1, max: 604_800 }),
      now: fc.date({ min: new Date('2000-01-01'), max: new Date('2090-01-01'), noInvalidDate: true }),
      versionId: fc.option(text, { nil: undefined }),
      responseContentDisposition: fc.option(text, { nil: undefined }),
      responseContentType: fc.option(text, { nil: undefined }),
      pathStyle: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(input, async (all) => {
        const { bucket, key, region, accessKeyId, secretAccessKey, sessionToken, expiresIn, now, pathStyle } = all;
        const token = sessionToken === undefined ? {} : { sessionToken };
        const { versionId, responseContentDisposition, responseContentType } = all;
        const server = await createS3Server({
          ...{ region, accessKeyId, secretAccessKey, ...token },
          buckets: [bucket],
          clock: { now: () => now },
        });
        try {
          const url = presignGetUrl({
            ...{ bucket, key, region, expiresIn, now, pathStyle },
            credentials: { accessKeyId, secretAccessKey, ...token },
            ...(versionId === undefined ? {} : { versionId }),
            ...(responseContentDisposition === undefined ? {} : { responseContentDisposition }),
            ...(responseContentType === undefined ? {} : { responseContentType }),
          });
          const answer = await sendRaw(server, url);
          // past the signature: the object is not there, or the version id is none of this server's
          expect(['NoSuchKey', 'InvalidArgument']).toContain(codeOf(answer));
          expect(server.log.at(-1)).toMatchObject({ bucket, key });
        } finally {
          await server.close();
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('links against the strict server', () => {
  let server: S3Server;
  let client: S3Client;
  let versionId: string;
  const key = 'default/2026/11/018f/Vidéo (1)+.webm';
  let now = new Date('2026-11-21T10:00:00Z');

  beforeAll(async () => {
    server = await createS3Server({
      region: 'eu-west-1',
      sessionToken: 'to/ken+=',
      buckets: ['recordings'],
      clock: { now: () => now },
    });
    client = new S3Client({
      endpoint: server.endpoint,
      region: server.region,
      credentials: server.credentials,
      forcePathStyle: true,
      systemClockOffset: now.getTime() - Date.now(),
    });
    const put = await client.send(new PutObjectCommand({ Bucket: 'recordings', Key: key, Body: '0123456789' }));
    versionId = put.VersionId ?? '';
  });
  afterAll(() => server.close());

  const sign = (more: object = {}) =>
    presignGetUrl({
      bucket: 'recordings',
      key,
      region: server.region,
      credentials: server.credentials,
      endpoint: server.endpoint,
      expiresIn: 3600,
      now,
      versionId,
      responseContentDisposition: `inline; filename="recording.webm"; filename*=UTF-8''enregistrement%20n%C2%B0.webm`,
      responseContentType: 'video/webm',
      ...more,
    });

  test('play with fetch, with the overrides they carry and with Range', async () => {
    const whole = await fetch(sign());
    expect(whole.status).toBe(200);
    expect(await whole.text()).toBe('0123456789');
    expect(whole.headers.get('content-type')).toBe('video/webm');
    expect(whole.headers.get('content-disposition')).toContain('filename="recording.webm"');
    const part = await fetch(sign(), { headers: { range: 'bytes=2-4' } });
    expect([part.status, await part.text()]).toEqual([206, '234']);
  });

  test("say the same as the AWS SDK's, parameter by parameter", async () => {
    const command = new GetObjectCommand({
      Bucket: 'recordings',
      Key: key,
      VersionId: versionId,
      ResponseContentDisposition: 'inline; filename="(x)*.webm"',
      ResponseContentType: 'video/webm',
    });
    const theirs = new URL(await getSignedUrl(client, command, { expiresIn: 3600, signingDate: now }));
    const ours = new URL(sign({ responseContentDisposition: 'inline; filename="(x)*.webm"' }));
    expect(ours.origin + ours.pathname).toBe(theirs.origin + theirs.pathname);
    // the SDK adds three parameters that change nothing for a GET without a body
    for (const name of ['X-Amz-Content-Sha256', 'x-amz-checksum-mode', 'x-id', 'X-Amz-Signature']) {
      theirs.searchParams.delete(name);
      ours.searchParams.delete(name);
    }
    const sorted = (url: URL) => [...url.searchParams].sort();
    expect(sorted(ours)).toEqual(sorted(theirs));
  });

  test('are refused with any one character changed', async () => {
    const url = sign();
    const meaning = (text: string) => {
      const [path = '', query = ''] = text.split(/\?(.*)/s);
      try {
        return JSON.stringify([decodeURIComponent(path), query.split('&').map((part) => decodeURIComponent(part))]);
      } catch {
        return text;
      }
    };
    const from = 'http://'.length;
    let tried = 0;
    for (let at = from; at < url.length; at++) {
      for (const char of ['A', '0', '%', '&', '=', '/', '-']) {
        const other = url.slice(0, at) + char + url.slice(at + 1);
        // %2f for %2F, or the character itself, is the same request and no alteration
        if (meaning(other) === meaning(url)) continue;
        tried += 1;
        const answer = await sendRaw(server, other);
        expect([answer.status >= 400 && answer.status < 500, at - from, char]).toEqual([true, at - from, char]);
      }
    }
    expect(tried).toBeGreaterThan(1000);
  });

  test('are refused once their seconds are over', async () => {
    const url = sign({ expiresIn: 60 });
    const before = now;
    now = new Date(before.getTime() + 60_000);
    expect((await fetch(url)).status).toBe(200);
    now = new Date(before.getTime() + 61_000);
    const late = await fetch(url);
    now = before;
    expect(late.status).toBe(403);
    expect(await late.text()).toContain('Request has expired');
  });

  test('to upload bind size, type and checksum', async () => {
    const body = 'the sound of a visit';
    const { url, headers } = presignPutUrl({
      bucket: 'recordings',
      key: 'upload',
      region: server.region,
      credentials: server.credentials,
      endpoint: server.endpoint,
      expiresIn: 60,
      now,
      contentType: 'audio/webm',
      contentLength: body.length,
      checksumSha256: createHash('sha256').update(body).digest('base64'),
      headers: { 'x-amz-server-side-encryption': 'AES256' },
    });
    const put = (text: string, sent: Record<string, string>) =>
      sendRaw(server, url, { method: 'PUT', headers: sent, body: text });
    const spoilt = body.replace('visit', 'visiT');
    expect(codeOf(await put(spoilt, headers))).toBe('BadDigest');
    const longer = { ...headers, 'content-length': String(body.length + 1) };
    expect(codeOf(await put(`${body}!`, longer))).toBe('SignatureDoesNotMatch');
    expect(codeOf(await put(body, { ...headers, 'content-type': 'text/html' }))).toBe('SignatureDoesNotMatch');
    const { 'x-amz-checksum-sha256': _, ...bare } = headers;
    expect(codeOf(await put(body, bare))).toBe('SignatureDoesNotMatch');
    expect((await put(body, headers)).status).toBe(200);
  });

  test('to upload refuse what cannot be bound', () => {
    const base = { ...example, key: 'k', expiresIn: 60 };
    const bad = [
      { contentLength: -1 },
      { contentLength: 5 * 1024 ** 3 + 1 },
      { checksumSha256: 'not base64' },
      { contentType: 'text/plain\r\nx-evil: 1' },
      { headers: { host: 'other' } },
      { headers: { 'X-Upper': '1' } },
    ];
    for (const part of bad) expect(thrown(() => presignPutUrl({ ...base, ...part }))).toBe('invalid_input');
  });
});
