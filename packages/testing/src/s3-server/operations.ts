import {
  createBucket,
  deleteBucket,
  getEncryption,
  getLocation,
  getVersioning,
  headBucket,
  listBuckets,
  putEncryption,
  putVersioning,
} from './buckets.ts';
import { type DeleteFault, deleteObject, deleteObjects } from './delete-objects.ts';
import { listObjects, listVersions } from './listing.ts';
import { abortUpload, completeUpload, createUpload, listParts, listUploads, uploadPart } from './multipart.ts';
import {
  getLegalHold,
  getLockConfiguration,
  getRetention,
  putLegalHold,
  putLockConfiguration,
  putRetention,
} from './object-lock.ts';
import type { Payload } from './payload.ts';
import { S3ProtocolError } from './protocol-error.ts';
import { readObject } from './read-object.ts';
import { hasQuery, type S3Request, type S3Response } from './request.ts';
import { getTagging, putTagging } from './tagging.ts';
import type { World } from './world.ts';
import { writeObject } from './write-object.ts';

/** The operations that the server knows, by their names in the S3 API. */
export type S3Operation =
  | 'AbortMultipartUpload'
  | 'CompleteMultipartUpload'
  | 'CreateBucket'
  | 'CreateMultipartUpload'
  | 'DeleteBucket'
  | 'DeleteObject'
  | 'DeleteObjects'
  | 'GetBucketEncryption'
  | 'GetBucketLocation'
  | 'GetBucketVersioning'
  | 'GetObject'
  | 'GetObjectLegalHold'
  | 'GetObjectLockConfiguration'
  | 'GetObjectRetention'
  | 'GetObjectTagging'
  | 'HeadBucket'
  | 'HeadObject'
  | 'ListBuckets'
  | 'ListMultipartUploads'
  | 'ListObjectVersions'
  | 'ListObjectsV2'
  | 'ListParts'
  | 'PutBucketEncryption'
  | 'PutBucketVersioning'
  | 'PutObject'
  | 'PutObjectLegalHold'
  | 'PutObjectLockConfiguration'
  | 'PutObjectRetention'
  | 'PutObjectTagging'
  | 'UploadPart'
  | 'Unknown';

type Call = (world: World, request: S3Request, payload: Payload, fault: DeleteFault) => S3Response;

const calls: Readonly<Record<Exclude<S3Operation, 'Unknown'>, Call>> = {
  AbortMultipartUpload: abortUpload,
  CompleteMultipartUpload: completeUpload,
  CreateBucket: createBucket,
  CreateMultipartUpload: createUpload,
  DeleteBucket: deleteBucket,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
  GetBucketEncryption: getEncryption,
  GetBucketLocation: getLocation,
  GetBucketVersioning: getVersioning,
  GetObject: readObject,
  GetObjectLegalHold: getLegalHold,
  GetObjectLockConfiguration: getLockConfiguration,
  GetObjectRetention: getRetention,
  GetObjectTagging: getTagging,
  HeadBucket: headBucket,
  HeadObject: readObject,
  ListBuckets: listBuckets,
  ListMultipartUploads: listUploads,
  ListObjectVersions: listVersions,
  ListObjectsV2: listObjects,
  ListParts: listParts,
  PutBucketEncryption: (world, request, { body }) => putEncryption(world, request, body),
  PutBucketVersioning: (world, request, { body }) => putVersioning(world, request, body),
  PutObject: writeObject,
  PutObjectLegalHold: (world, request, { body }) => putLegalHold(world, request, body),
  PutObjectLockConfiguration: (world, request, { body }) => putLockConfiguration(world, request, body),
  PutObjectRetention: (world, request, { body }) => putRetention(world, request, body),
  PutObjectTagging: (world, request, { body }) => putTagging(world, request, body),
  UploadPart: uploadPart,
};

// A subresource in the query chooses the operation; what is not in this table and not a plain call is unknown.
const bySubresource: readonly (readonly [string, 'bucket' | 'object', string, S3Operation])[] = [
  ['GET', 'bucket', 'versions', 'ListObjectVersions'],
  ['GET', 'bucket', 'uploads', 'ListMultipartUploads'],
  ['GET', 'bucket', 'versioning', 'GetBucketVersioning'],
  ['PUT', 'bucket', 'versioning', 'PutBucketVersioning'],
  ['GET', 'bucket', 'encryption', 'GetBucketEncryption'],
  ['PUT', 'bucket', 'encryption', 'PutBucketEncryption'],
  ['GET', 'bucket', 'object-lock', 'GetObjectLockConfiguration'],
  ['PUT', 'bucket', 'object-lock', 'PutObjectLockConfiguration'],
  ['GET', 'bucket', 'location', 'GetBucketLocation'],
  ['POST', 'bucket', 'delete', 'DeleteObjects'],
  ['GET', 'object', 'retention', 'GetObjectRetention'],
  ['PUT', 'object', 'retention', 'PutObjectRetention'],
  ['GET', 'object', 'legal-hold', 'GetObjectLegalHold'],
  ['PUT', 'object', 'legal-hold', 'PutObjectLegalHold'],
  ['GET', 'object', 'tagging', 'GetObjectTagging'],
  ['PUT', 'object', 'tagging', 'PutObjectTagging'],
  ['POST', 'object', 'uploads', 'CreateMultipartUpload'],
  ['PUT', 'object', 'uploadId', 'UploadPart'],
  ['POST', 'object', 'uploadId', 'CompleteMultipartUpload'],
  ['DELETE', 'object', 'uploadId', 'AbortMultipartUpload'],
  ['GET', 'object', 'uploadId', 'ListParts'],
];

const plain: Readonly<Record<string, S3Operation>> = {
  'GET service': 'ListBuckets',
  'PUT bucket': 'CreateBucket',
  'DELETE bucket': 'DeleteBucket',
  'HEAD bucket': 'HeadBucket',
  'GET bucket': 'ListObjectsV2',
  'GET object': 'GetObject',
  'HEAD object': 'HeadObject',
  'PUT object': 'PutObject',
  'DELETE object': 'DeleteObject',
};

const foreign: readonly string[] = [
  'acl',
  'tagging',
  'policy',
  'lifecycle',
  'cors',
  'attributes',
  'restore',
  'select',
  'torrent',
  'replication',
  'notification',
  'logging',
  'website',
  'partNumber',
];

/** The operation that a request means. */
export function operationOf(request: S3Request): S3Operation {
  const level = request.bucket === '' ? 'service' : request.key === '' ? 'bucket' : 'object';
  for (const [method, at, name, operation] of bySubresource) {
    if (request.method === method && at === level && hasQuery(request, name)) return operation;
  }
  if (foreign.some((name) => hasQuery(request, name))) return 'Unknown';
  return plain[`${request.method} ${level}`] ?? 'Unknown';
}

/** Carries an operation out. */
export function perform(
  operation: S3Operation,
  world: World,
  request: S3Request,
  payload: Payload,
  fault: DeleteFault,
): S3Response {
  if (operation === 'Unknown') {
    throw new S3ProtocolError('NotImplemented', 'This server does not implement the operation.');
  }
  return calls[operation](world, request, payload, fault);
}
