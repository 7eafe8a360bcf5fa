import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { codeOf, type RawRequest, refused, type S3CaseContext, type S3ServerCase } from './case-context.fixture.ts';

const text = '0123456789'.repeat(2000);
const sha256 = (value: string) => createHash('sha256').update(value);
const hmac = (key: string | Buffer, value: string) => createHmac('sha256', key).update(value).digest();

function unsigned(chunks: readonly string[], trailer: string): string {
  const parts = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  return `${parts.join('')}0\r\n${trailer}\r\n\r\n`;
}

function trailing(context: S3CaseContext, body: string, length = text.length): RawRequest {
  return {
    method: 'PUT',
    path: `/${context.bucket}/a`,
    headers: {
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': String(length),
      'x-amz-trailer': 'x-amz-checksum-sha256',
      'content-encoding': 'aws-chunked',
    },
    body,
  };
}

const right = `x-amz-checksum-sha256:${sha256(text).digest('base64')}`;

/** Sends the text in signed chunks of 8 KiB; `spoil` may change the encoded body before it leaves. */
async function sendSigned(context: S3CaseContext, spoil: (body: string) => string): Promise<Response> {
  const datetime = new Date().toISOString().replace(/[:-]|\.\d{3}/g, '');
  const scope = `${datetime.slice(0, 8)}/${context.region}/s3/aws4_request`;
  const signed = await context.sign({
    method: 'PUT',
    path: `/${context.bucket}/a`,
    datetime,
    headers: {
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-decoded-content-length': String(text.length),
      'content-encoding': 'aws-chunked',
    },
  });
  const key = scope
    .split('/')
    .reduce((last: string | Buffer, part) => hmac(last, part), `AWS4${context.credentials.secretAccessKey}`);
  let previous = /Signature=([0-9a-f]+)/.exec(signed.headers.get('authorization') ?? '')?.[1] ?? '';
  let body = '';
  for (let at = 0; at <= text.length; at += 8192) {
    const chunk = text.slice(at, at + 8192);
    previous = sign(previous, chunk);
    body += `${chunk.length.toString(16)};chunk-signature=${previous}\r\n${chunk}\r\n`;
  }
  previous = sign(previous, '');
  body += `0;chunk-signature=${previous}\r\n\r\n`;
  return fetch(signed.url, { method: 'PUT', headers: signed.headers, body: spoil(body) });

  function sign(before: string, chunk: string): string {
    const lines = [
      'AWS4-HMAC-SHA256-PAYLOAD',
      datetime,
      scope,
      before,
      sha256('').digest('hex'),
      sha256(chunk).digest('hex'),
    ];
    return hmac(key, lines.join('\n')).toString('hex');
  }
}

async function stored(context: S3CaseContext): Promise<string | undefined> {
  const response = await context.send({ path: `/${context.bucket}/a` });
  return response.status === 200 ? response.text() : undefined;
}

/** `aws-chunked` bodies. */
export const chunkedCases: readonly S3ServerCase[] = [
  {
    id: 's3.chunked.trailer',
    title: 'an unsigned chunked body with a right checksum trailer is stored without its framing',
    requires: ['streaming-trailer'],
    run: async (context) => {
      const response = await context.send(trailing(context, unsigned([text.slice(0, 100), text.slice(100)], right)));
      assert.equal(response.status, 200, await response.text());
      assert.equal(await stored(context), text);
    },
  },
  {
    id: 's3.chunked.trailer-wrong',
    title: 'a wrong checksum, no trailer, a lying length and a torn body are refused and not stored',
    requires: ['streaming-trailer'],
    run: async (context) => {
      const wrong = `x-amz-checksum-sha256:${sha256('other').digest('base64')}`;
      await refused(await context.send(trailing(context, unsigned([text], wrong))), 400, 'BadDigest');
      await refused(await context.send(trailing(context, unsigned([text], ''))), 400, 'MalformedTrailerError');
      await refused(await context.send(trailing(context, unsigned([text], right), 5)), 400, 'IncompleteBody');
      await refused(
        await context.send(trailing(context, unsigned([text], right).slice(0, 900))),
        400,
        'IncompleteBody',
      );
      assert.equal(await stored(context), undefined);
    },
  },
  {
    id: 's3.chunked.signed',
    title: 'chunks that are each signed are stored without their framing',
    requires: [],
    run: async (context) => {
      const response = await sendSigned(context, (body) => body);
      assert.equal(response.status, 200, await response.text());
      assert.equal(await stored(context), text);
    },
  },
  {
    id: 's3.chunked.signed-spoilt',
    title: 'a chunk changed on the way is refused and not stored',
    requires: [],
    run: async (context) => {
      const response = await sendSigned(context, (body) => body.replace('\r\n0123', '\r\n1123'));
      assert.deepEqual([response.status, await codeOf(response)], [403, 'SignatureDoesNotMatch']);
      assert.equal(await stored(context), undefined);
    },
  },
];
