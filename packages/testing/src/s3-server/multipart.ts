import { createHash, randomBytes } from 'node:crypto';
import { checkBody, checksumOf, statedChecksums } from './checksums.ts';
import { encryptionHeaders, encryptionOf } from './encryption.ts';
import { compareKeys } from './key-order.ts';
import { countOf, keyWriter } from './listing.ts';
import { lockOfWrite } from './object-lock.ts';
import type { Payload } from './payload.ts';
import { S3ProtocolError } from './protocol-error.ts';
import { queryOf, type S3Request, type S3Response } from './request.ts';
import {
  addVersion,
  type Bucket,
  bucketOf,
  nextVersionId,
  type StoredPart,
  type StoredVersion,
  type Upload,
  versionHeader,
  type World,
} from './world.ts';
import { checkKey, checkWriteConditions, keptHeaders } from './write-object.ts';
import { nodesOf, readXml, textOf, writeXml } from './xml.ts';

const xml: Readonly<Record<string, string>> = { 'content-type': 'application/xml' };

function uploadOf(bucket: Bucket, request: S3Request): Upload {
  const upload = bucket.uploads.get(queryOf(request, 'uploadId') ?? '');
  if (upload === undefined || upload.key !== request.key) {
    throw new S3ProtocolError(
      'NoSuchUpload',
      'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    );
  }
  return upload;
}

/** `POST ?uploads` */
export function createUpload(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  checkKey(request.key);
  const encryption = encryptionOf(world, bucket, request.headers);
  world.sequence += 1;
  const upload: Upload = {
    key: request.key,
    uploadId: world.sequence.toString(16).padStart(12, '0') + randomBytes(16).toString('hex'),
    initiated: world.clock.now(),
    request,
    parts: new Map(),
  };
  bucket.uploads.set(upload.uploadId, upload);
  const headers = { ...xml, ...encryptionHeaders(encryption) };
  const algorithm = request.headers['x-amz-checksum-algorithm'];
  const body = writeXml('InitiateMultipartUploadResult', {
    Bucket: bucket.name,
    Key: request.key,
    UploadId: upload.uploadId,
  });
  return {
    status: 200,
    headers: algorithm === undefined ? headers : { ...headers, 'x-amz-checksum-algorithm': algorithm },
    body,
  };
}

/** `PUT ?partNumber&uploadId` */
export function uploadPart(world: World, request: S3Request, payload: Payload): S3Response {
  const upload = uploadOf(bucketOf(world, request), request);
  const number = Number(queryOf(request, 'partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > 10_000) {
    throw new S3ProtocolError('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
  }
  const all = { ...request.headers, ...payload.trailers };
  checkBody(all, payload.body);
  const stated: Record<string, string> = { ...statedChecksums(all) };
  const algorithm = upload.request.headers['x-amz-checksum-algorithm']?.toLowerCase();
  if (algorithm !== undefined && Object.keys(stated).some((name) => name !== algorithm)) {
    throw new S3ProtocolError(
      'InvalidRequest',
      'Checksum Type mismatch occurred: the part has another algorithm than the upload.',
    );
  }
  if (algorithm !== undefined && stated[algorithm] === undefined) {
    stated[algorithm] = checksumOf(algorithm, payload.body);
  }
  const part: StoredPart = {
    number,
    etag: `"${createHash('md5').update(payload.body).digest('hex')}"`,
    body: payload.body,
    checksums: stated,
    lastModified: world.clock.now(),
  };
  upload.parts.set(number, part);
  const headers: Record<string, string> = { etag: part.etag };
  for (const [name, value] of Object.entries(stated)) headers[`x-amz-checksum-${name}`] = value;
  return { status: 200, headers, body: '' };
}

/** `GET ?uploadId` */
export function listParts(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  const upload = uploadOf(bucket, request);
  const after = Number(queryOf(request, 'part-number-marker') ?? 0);
  const maximum = countOf(request, 'max-parts');
  const rest = [...upload.parts.values()].filter((part) => part.number > after).sort((a, b) => a.number - b.number);
  const page = rest.slice(0, maximum);
  const body = writeXml('ListPartsResult', {
    Bucket: bucket.name,
    Key: upload.key,
    UploadId: upload.uploadId,
    PartNumberMarker: after,
    NextPartNumberMarker: page.at(-1)?.number ?? 0,
    MaxParts: maximum,
    IsTruncated: rest.length > page.length,
    Part: page.map((part) => ({
      PartNumber: part.number,
      LastModified: part.lastModified.toISOString(),
      ETag: part.etag,
      Size: part.body.length,
    })),
  });
  return { status: 200, headers: xml, body };
}

interface NamedPart {
  readonly part: StoredPart;
  readonly last: boolean;
}

function namedParts(world: World, upload: Upload, body: Uint8Array): readonly StoredPart[] {
  const nodes = nodesOf(readXml(body, 'CompleteMultipartUpload').Part);
  if (nodes.length === 0) throw new S3ProtocolError('MalformedXML', 'You must specify at least one part');
  let before = 0;
  const found = nodes.map((node, index): NamedPart => {
    const number = Number(textOf(node.PartNumber));
    if (!(number > before)) {
      throw new S3ProtocolError(
        'InvalidPartOrder',
        'The list of parts was not in ascending order. Parts must be ordered by part number.',
      );
    }
    before = number;
    const part = upload.parts.get(number);
    const etag = textOf(node.ETag)?.trim().replaceAll('"', '');
    const wrong = Object.entries(part?.checksums ?? {}).some(([algorithm, value]) => {
      const stated = textOf(node[`Checksum${algorithm.toUpperCase()}`]);
      return stated !== undefined && stated !== value;
    });
    if (part === undefined || etag !== part.etag.replaceAll('"', '') || wrong) {
      throw new S3ProtocolError(
        'InvalidPart',
        'One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match.',
        { elements: { PartNumber: String(number), UploadId: upload.uploadId } },
      );
    }
    return { part, last: index === nodes.length - 1 };
  });
  for (const { part, last } of found) {
    if (!last && part.body.length < world.minimumPartSize) {
      throw new S3ProtocolError('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
        elements: {
          ProposedSize: String(part.body.length),
          MinSizeAllowed: String(world.minimumPartSize),
          PartNumber: String(part.number),
        },
      });
    }
  }
  return found.map(({ part }) => part);
}

function checksumsOf(upload: Upload, parts: readonly StoredPart[], body: Uint8Array) {
  const algorithm = upload.request.headers['x-amz-checksum-algorithm']?.toLowerCase();
  if (algorithm === undefined) return { checksums: {}, checksumType: 'FULL_OBJECT' as const };
  const asked = upload.request.headers['x-amz-checksum-type']?.toUpperCase();
  if (asked === 'FULL_OBJECT') {
    if (algorithm.startsWith('sha')) {
      throw new S3ProtocolError(
        'InvalidRequest',
        `The FULL_OBJECT checksum type cannot be used with the ${algorithm} checksum algorithm.`,
      );
    }
    return { checksums: { [algorithm]: checksumOf(algorithm, body) }, checksumType: 'FULL_OBJECT' as const };
  }
  const each = parts.map((part) => Buffer.from(part.checksums[algorithm] ?? '', 'base64'));
  const value = `${checksumOf(algorithm, Buffer.concat(each))}-${parts.length}`;
  return { checksums: { [algorithm]: value }, checksumType: 'COMPOSITE' as const };
}

/** `POST ?uploadId`: the parts become one object, or nothing changes. */
export function completeUpload(world: World, request: S3Request, payload: Payload): S3Response {
  const bucket = bucketOf(world, request);
  const upload = uploadOf(bucket, request);
  const parts = namedParts(world, upload, payload.body);
  checkWriteConditions(bucket, request);
  const encryption = encryptionOf(world, bucket, upload.request.headers);
  const body = Buffer.concat(parts.map((part) => part.body));
  const sums = checksumsOf(upload, parts, body);
  for (const [algorithm, stated] of Object.entries(statedChecksums(request.headers))) {
    const made = (sums.checksums as Readonly<Record<string, string>>)[algorithm]; // the literal types above are narrower
    if (made !== undefined && stated !== made && `${stated}-${parts.length}` !== made) {
      throw new S3ProtocolError('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
    }
  }
  const size = request.headers['x-amz-mp-object-size'];
  if (size !== undefined && Number(size) !== body.length) {
    throw new S3ProtocolError(
      'InvalidRequest',
      'The provided x-amz-mp-object-size header value does not match what was computed',
    );
  }
  const digests = Buffer.concat(parts.map((part) => Buffer.from(part.etag.replaceAll('"', ''), 'hex')));
  const headers = { ...upload.request.headers, 'x-amz-trailer': '' }; // the parts carried their own checksums
  const version: StoredVersion = {
    key: upload.key,
    versionId: bucket.versioning === 'Enabled' ? nextVersionId(world) : 'null',
    deleteMarker: false,
    lastModified: world.clock.now(),
    etag: `"${createHash('md5').update(digests).digest('hex')}-${parts.length}"`,
    body,
    headers: keptHeaders(upload.request.headers),
    ...sums,
    encryption,
    ...lockOfWrite(world, bucket, headers),
  };
  addVersion(bucket, version);
  bucket.uploads.delete(upload.uploadId);
  const elements: Record<string, string> = {};
  for (const [name, value] of Object.entries(version.checksums)) elements[`Checksum${name.toUpperCase()}`] = value;
  return {
    status: 200,
    headers: { ...xml, ...versionHeader(bucket, version), ...encryptionHeaders(encryption) },
    body: writeXml('CompleteMultipartUploadResult', {
      Location: `/${bucket.name}/${upload.key}`,
      Bucket: bucket.name,
      Key: upload.key,
      ETag: version.etag,
      ...elements,
    }),
  };
}

/** `DELETE ?uploadId` */
export function abortUpload(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  bucket.uploads.delete(uploadOf(bucket, request).uploadId);
  return { status: 204, headers: {}, body: '' };
}

/** `GET ?uploads` on a bucket. */
export function listUploads(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  const write = keyWriter(request);
  const prefix = queryOf(request, 'prefix') ?? '';
  const keyMarker = queryOf(request, 'key-marker') ?? '';
  const idMarker = queryOf(request, 'upload-id-marker') ?? '';
  const maximum = countOf(request, 'max-uploads');
  const rest = [...bucket.uploads.values()]
    .filter((upload) => upload.key.startsWith(prefix))
    .filter((upload) => {
      const order = compareKeys(upload.key, keyMarker);
      return keyMarker === '' || order > 0 || (order === 0 && idMarker !== '' && upload.uploadId > idMarker);
    })
    .sort((a, b) => compareKeys(a.key, b.key) || (a.uploadId < b.uploadId ? -1 : 1));
  const page = rest.slice(0, maximum);
  const truncated = rest.length > page.length && maximum > 0;
  const last = page.at(-1);
  const body = writeXml('ListMultipartUploadsResult', {
    Bucket: bucket.name,
    KeyMarker: write(keyMarker),
    UploadIdMarker: idMarker,
    NextKeyMarker: truncated && last !== undefined ? write(last.key) : undefined,
    NextUploadIdMarker: truncated ? last?.uploadId : undefined,
    Prefix: write(prefix),
    EncodingType: queryOf(request, 'encoding-type') || undefined,
    MaxUploads: maximum,
    IsTruncated: truncated,
    Upload: page.map((upload) => ({
      Key: write(upload.key),
      UploadId: upload.uploadId,
      StorageClass: 'STANDARD',
      Initiated: upload.initiated.toISOString(),
    })),
  });
  return { status: 200, headers: xml, body };
}
