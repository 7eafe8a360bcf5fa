import { S3ProtocolError } from './protocol-error.ts';
import type { S3Request, S3Response } from './request.ts';
import { bucketOf, makeBucket, type World } from './world.ts';
import { nodeOf, nodesOf, readXml, textOf, writeXml } from './xml.ts';

const xml: Readonly<Record<string, string>> = { 'content-type': 'application/xml' };
const empty: S3Response = { status: 200, headers: {}, body: '' };

/** `PUT /bucket` */
export function createBucket(world: World, request: S3Request): S3Response {
  const name = request.bucket;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) || name.includes('..') || /^\d+(\.\d+){3}$/.test(name)) {
    throw new S3ProtocolError('InvalidBucketName', 'The specified bucket is not valid.');
  }
  if (world.buckets.has(name)) {
    throw new S3ProtocolError(
      'BucketAlreadyOwnedByYou',
      'Your previous request to create the named bucket succeeded and you already own it.',
    );
  }
  makeBucket(world, name, request.headers['x-amz-bucket-object-lock-enabled'] === 'true');
  return { status: 200, headers: { location: `/${name}` }, body: '' };
}

/** `DELETE /bucket`: only without versions, delete markers and uploads. */
export function deleteBucket(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  if (bucket.keys.length > 0) {
    throw new S3ProtocolError(
      'BucketNotEmpty',
      'The bucket you tried to delete is not empty. You must delete all versions in the bucket.',
    );
  }
  world.buckets.delete(bucket.name);
  return { status: 204, headers: {}, body: '' };
}

/** `HEAD /bucket` */
export function headBucket(world: World, request: S3Request): S3Response {
  bucketOf(world, request);
  return { status: 200, headers: { 'x-amz-bucket-region': world.region }, body: '' };
}

/** `GET /` */
export function listBuckets(world: World): S3Response {
  const body = writeXml('ListAllMyBucketsResult', {
    Owner: { ID: 'test', DisplayName: 'test' },
    Buckets: {
      Bucket: [...world.buckets.values()].map((bucket) => ({
        Name: bucket.name,
        CreationDate: bucket.created.toISOString(),
      })),
    },
  });
  return { status: 200, headers: xml, body };
}

/** `GET ?location` */
export function getLocation(world: World, request: S3Request): S3Response {
  bucketOf(world, request);
  return { status: 200, headers: xml, body: writeXml('LocationConstraint', {}) };
}

/** `GET ?versioning` */
export function getVersioning(world: World, request: S3Request): S3Response {
  const { versioning } = bucketOf(world, request);
  const body = writeXml('VersioningConfiguration', { Status: versioning === 'Off' ? undefined : versioning });
  return { status: 200, headers: xml, body };
}

/** `PUT ?versioning` */
export function putVersioning(world: World, request: S3Request, body: Uint8Array): S3Response {
  const bucket = bucketOf(world, request);
  const status = textOf(readXml(body, 'VersioningConfiguration').Status);
  if (status !== 'Enabled' && status !== 'Suspended') {
    throw new S3ProtocolError('MalformedXML', 'The XML you provided was not well-formed');
  }
  if (status === 'Suspended' && bucket.lockEnabled) {
    throw new S3ProtocolError(
      'InvalidBucketState',
      'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
    );
  }
  bucket.versioning = status;
  return empty;
}

/** `GET ?encryption` */
export function getEncryption(world: World, request: S3Request): S3Response {
  const { encryption } = bucketOf(world, request);
  const rule = {
    ApplyServerSideEncryptionByDefault: {
      SSEAlgorithm: encryption?.algorithm,
      KMSMasterKeyID: encryption?.keyId,
    },
  };
  const body = writeXml('ServerSideEncryptionConfiguration', { Rule: encryption === undefined ? undefined : rule });
  return { status: 200, headers: xml, body };
}

/** `PUT ?encryption`: the default for writes that name none. */
export function putEncryption(world: World, request: S3Request, body: Uint8Array): S3Response {
  const bucket = bucketOf(world, request);
  const rule = nodesOf(readXml(body, 'ServerSideEncryptionConfiguration').Rule)[0];
  const standard = nodeOf(rule?.ApplyServerSideEncryptionByDefault);
  const algorithm = textOf(standard.SSEAlgorithm);
  const keyId = textOf(standard.KMSMasterKeyID);
  if (algorithm !== 'AES256' && algorithm !== 'aws:kms') {
    throw new S3ProtocolError('MalformedXML', 'Not a default encryption');
  }
  bucket.encryption = keyId === undefined ? { algorithm } : { algorithm, keyId };
  return empty;
}
