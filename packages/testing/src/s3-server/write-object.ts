import { checkBody, checksumOf, statedChecksums } from './checksums.ts';
import { encryptionHeaders, encryptionOf } from './encryption.ts';
import { lockOfWrite } from './object-lock.ts';
import type { Payload } from './payload.ts';
import { S3ProtocolError } from './protocol-error.ts';
import type { S3Request, S3Response } from './request.ts';
import {
  addVersion,
  type Bucket,
  bucketOf,
  currentVersion,
  etagOf,
  nextVersionId,
  type StoredVersion,
  versionHeader,
  type World,
} from './world.ts';

const kept: readonly string[] = ['cache-control', 'content-disposition', 'content-language', 'expires'];

/** The headers of a write that S3 gives back on GET and HEAD. */
export function keptHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const found: Record<string, string> = { 'content-type': headers['content-type'] ?? 'binary/octet-stream' };
  for (const name of kept) {
    const value = headers[name];
    if (value !== undefined) found[name] = value;
  }
  const encoding = (headers['content-encoding'] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part !== 'aws-chunked')
    .join(',');
  if (encoding !== '') found['content-encoding'] = encoding;
  for (const [name, value] of Object.entries(headers)) if (name.startsWith('x-amz-meta-')) found[name] = value;
  return found;
}

/** @throws S3ProtocolError `KeyTooLongError` */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > 1024) throw new S3ProtocolError('KeyTooLongError', 'Your key is too long');
}

/**
 * Conditional writes: `If-None-Match: *` and `If-Match`.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export function checkWriteConditions(bucket: Bucket, request: S3Request): void {
  const noneMatch = request.headers['if-none-match'];
  const match = request.headers['if-match'];
  const present = currentVersion(bucket, request.key);
  const current = present === undefined || present.deleteMarker ? undefined : present;
  const failed = (condition: string) =>
    new S3ProtocolError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
      elements: { Condition: condition },
    });
  if (noneMatch !== undefined) {
    if (noneMatch !== '*') {
      throw new S3ProtocolError(
        'NotImplemented',
        'A header you provided implies functionality that is not implemented',
      );
    }
    if (current !== undefined) throw failed('If-None-Match');
  }
  if (match !== undefined) {
    if (current === undefined) throw new S3ProtocolError('NoSuchKey', 'The specified key does not exist.');
    if (match.replaceAll('"', '') !== current.etag.replaceAll('"', '')) throw failed('If-Match');
  }
}

/** PUT of an object. */
export function writeObject(world: World, request: S3Request, payload: Payload): S3Response {
  const bucket = bucketOf(world, request);
  checkKey(request.key);
  for (const name of ['x-amz-copy-source', 'x-amz-tagging', 'x-amz-write-offset-bytes']) {
    if (request.headers[name] !== undefined) {
      throw new S3ProtocolError(
        'NotImplemented',
        `A header you provided implies functionality that is not implemented: ${name}`,
      );
    }
  }
  const all = { ...request.headers, ...payload.trailers };
  checkBody(all, payload.body);
  checkWriteConditions(bucket, request);
  const encryption = encryptionOf(world, bucket, request.headers);
  const stated = statedChecksums(all);
  const checksums = Object.keys(stated).length > 0 ? stated : { crc32: checksumOf('crc32', payload.body) };
  const version: StoredVersion = {
    key: request.key,
    versionId: bucket.versioning === 'Enabled' ? nextVersionId(world) : 'null',
    deleteMarker: false,
    lastModified: world.clock.now(),
    etag: etagOf(payload.body, encryption),
    body: payload.body,
    headers: keptHeaders(request.headers),
    checksums,
    checksumType: 'FULL_OBJECT',
    encryption,
    ...lockOfWrite(world, bucket, request.headers),
  };
  addVersion(bucket, version);
  const answered: Record<string, string> = {};
  for (const [algorithm, value] of Object.entries(stated)) answered[`x-amz-checksum-${algorithm}`] = value;
  return {
    status: 200,
    headers: { etag: version.etag, ...versionHeader(bucket, version), ...encryptionHeaders(encryption), ...answered },
    body: '',
  };
}
