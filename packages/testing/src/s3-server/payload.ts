import { createHash } from 'node:crypto';
import { S3ProtocolError } from './protocol-error.ts';
import type { S3Request } from './request.ts';
import type { VerifiedSignature } from './signature.ts';

/** The body as the client meant it, with the headers that arrived after it. */
export interface Payload {
  readonly body: Uint8Array;
  /** Lower-case names. */
  readonly trailers: Readonly<Record<string, string>>;
}

const emptyHash: string = createHash('sha256').digest('hex');
const minimumChunk = 8192;

function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function incomplete(): S3ProtocolError {
  return new S3ProtocolError(
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header.',
  );
}

interface Chunk {
  readonly data: Uint8Array;
  readonly signature: string | undefined;
}

function readChunks(raw: Buffer): { chunks: readonly Chunk[]; rest: Buffer } {
  const chunks: Chunk[] = [];
  let at = 0;
  for (;;) {
    const end = raw.indexOf('\r\n', at);
    if (end === -1) throw incomplete();
    const match = /^([0-9a-fA-F]+)(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(raw.toString('latin1', at, end));
    if (match === null) throw incomplete();
    const size = Number.parseInt(match[1] ?? '', 16);
    const from = end + 2;
    if (raw.length < from + size) throw incomplete();
    chunks.push({ data: raw.subarray(from, from + size), signature: match[2] });
    if (size === 0) return { chunks, rest: raw.subarray(from) };
    if (raw.toString('latin1', from + size, from + size + 2) !== '\r\n') throw incomplete();
    at = from + size + 2;
  }
}

function readTrailers(rest: Buffer): Record<string, string> {
  const trailers: Record<string, string> = {};
  for (const line of rest.toString('utf8').split(/\r?\n/)) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon < 1)
      throw new S3ProtocolError(
        'MalformedTrailerError',
        'The request contained trailing data that was not well-formed.',
      );
    trailers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return trailers;
}

async function verifyChunks(chunks: readonly Chunk[], verified: VerifiedSignature): Promise<string> {
  let previous = verified.signature;
  for (const [index, chunk] of chunks.entries()) {
    if (chunk.data.length > 0 && chunk.data.length < minimumChunk && index < chunks.length - 2) {
      throw new S3ProtocolError(
        'InvalidChunkSizeError',
        'Only the last chunk is allowed to have a size less than 8192 bytes',
      );
    }
    const expected = await verified.sign(
      ['AWS4-HMAC-SHA256-PAYLOAD', verified.longDate, verified.scope, previous, emptyHash, sha256Hex(chunk.data)].join(
        '\n',
      ),
    );
    if (chunk.signature !== expected) {
      throw new S3ProtocolError('SignatureDoesNotMatch', 'The signature of a chunk does not match.');
    }
    previous = expected;
  }
  return previous;
}

async function verifyTrailers(
  trailers: Readonly<Record<string, string>>,
  previous: string,
  verified: VerifiedSignature,
): Promise<void> {
  const { 'x-amz-trailer-signature': stated, ...signed } = trailers;
  const canonical = Object.entries(signed)
    .map(([name, value]) => `${name}:${value}\n`)
    .join('');
  const expected = await verified.sign(
    ['AWS4-HMAC-SHA256-TRAILER', verified.longDate, verified.scope, previous, sha256Hex(canonical)].join('\n'),
  );
  if (stated !== expected) {
    throw new S3ProtocolError('SignatureDoesNotMatch', 'The signature of the trailer does not match.');
  }
}

/**
 * Checks the bytes against `x-amz-content-sha256` and takes `aws-chunked` apart.
 *
 * @throws S3ProtocolError `XAmzContentSHA256Mismatch`, `SignatureDoesNotMatch`, `IncompleteBody`, `MalformedTrailerError`, …
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
export async function openPayload(request: S3Request, raw: Buffer, verified: VerifiedSignature): Promise<Payload> {
  const hash = verified.payloadHash;
  if (hash === 'UNSIGNED-PAYLOAD') return { body: raw, trailers: {} };
  if (/^[0-9a-f]{64}$/.test(hash)) {
    if (sha256Hex(raw) !== hash) {
      throw new S3ProtocolError(
        'XAmzContentSHA256Mismatch',
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      );
    }
    return { body: raw, trailers: {} };
  }
  const streaming = /^STREAMING-(UNSIGNED-PAYLOAD|AWS4-HMAC-SHA256-PAYLOAD)(-TRAILER)?$/.exec(hash);
  if (streaming === null || hash === 'STREAMING-UNSIGNED-PAYLOAD') {
    throw new S3ProtocolError(
      'InvalidArgument',
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
    );
  }
  const stated = request.headers['x-amz-decoded-content-length'];
  if (stated === undefined) {
    throw new S3ProtocolError('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
  const { chunks, rest } = readChunks(raw);
  const signed = streaming[1] === 'AWS4-HMAC-SHA256-PAYLOAD';
  const last = signed ? await verifyChunks(chunks, verified) : '';
  const trailers = readTrailers(rest);
  const announced = (request.headers['x-amz-trailer'] ?? '').split(',').map((name) => name.trim().toLowerCase());
  if (streaming[2] !== undefined) {
    const present = Object.keys(trailers).filter((name) => name !== 'x-amz-trailer-signature');
    if (
      announced.some((name) => name !== '' && !present.includes(name)) ||
      present.some((name) => !announced.includes(name))
    ) {
      throw new S3ProtocolError('MalformedTrailerError', 'The trailers are not the ones announced in x-amz-trailer.');
    }
    if (signed) await verifyTrailers(trailers, last, verified);
  }
  const body = Buffer.concat(chunks.map((chunk) => chunk.data));
  if (String(body.length) !== stated) throw incomplete();
  return { body, trailers };
}
