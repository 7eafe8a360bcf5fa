import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '@medzen/core';
import { lowerBound } from './key-order.ts';
import { S3ProtocolError } from './protocol-error.ts';
import { queryOf, type S3Request } from './request.ts';

/** How long and how firmly Object Lock keeps a version. */
export interface Retention {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE';
  readonly until: Date;
}

/** Server-side encryption of a version, or the default of a bucket. */
export interface Encryption {
  readonly algorithm: 'AES256' | 'aws:kms';
  readonly keyId?: string;
}

/** One version of an object, or a delete marker. */
export interface StoredVersion {
  readonly key: string;
  readonly versionId: string;
  readonly deleteMarker: boolean;
  readonly lastModified: Date;
  /** With its quotation marks; empty for a delete marker. */
  readonly etag: string;
  readonly body: Uint8Array;
  /** Response headers kept with the object: `content-type`, `x-amz-meta-*`, … */
  readonly headers: Readonly<Record<string, string>>;
  /** By algorithm, base64. */
  readonly checksums: Readonly<Record<string, string>>;
  readonly checksumType: 'FULL_OBJECT' | 'COMPOSITE';
  readonly encryption: Encryption | undefined;
  retention: Retention | undefined;
  legalHold: boolean;
  tags?: ReadonlyMap<string, string>;
}

/** A part of an upload in progress. */
export interface StoredPart {
  readonly number: number;
  readonly etag: string;
  readonly body: Uint8Array;
  readonly checksums: Readonly<Record<string, string>>;
  readonly lastModified: Date;
}

/** An upload in progress. */
export interface Upload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiated: Date;
  readonly request: S3Request;
  readonly parts: Map<number, StoredPart>;
}

/** A bucket and all that is in it. */
export interface Bucket {
  readonly name: string;
  readonly created: Date;
  versioning: 'Enabled' | 'Suspended' | 'Off';
  readonly lockEnabled: boolean;
  defaultRetention: { readonly mode: Retention['mode']; readonly days: number } | undefined;
  encryption: Encryption | undefined;
  /** Keys in listing order. */
  readonly keys: string[];
  /** Newest first. */
  readonly versions: Map<string, StoredVersion[]>;
  readonly uploads: Map<string, Upload>;
}

/** Everything the server knows. */
export interface World {
  readonly clock: Clock;
  readonly region: string;
  readonly minimumPartSize: number;
  readonly defaultVersioning: 'Enabled' | 'Off';
  readonly defaultEncryption: Encryption | undefined;
  readonly buckets: Map<string, Bucket>;
  /** Counts what was made, so that ids sort by age. */
  sequence: number;
}

/** Makes an empty bucket. */
export function makeBucket(world: World, name: string, lockEnabled: boolean): Bucket {
  const bucket: Bucket = {
    name,
    created: world.clock.now(),
    versioning: lockEnabled ? 'Enabled' : world.defaultVersioning,
    lockEnabled,
    defaultRetention: undefined,
    encryption: world.defaultEncryption,
    keys: [],
    versions: new Map(),
    uploads: new Map(),
  };
  world.buckets.set(name, bucket);
  return bucket;
}

/** @throws S3ProtocolError `NoSuchBucket` */
export function bucketOf(world: World, request: S3Request): Bucket {
  const bucket = world.buckets.get(request.bucket);
  if (bucket === undefined) {
    throw new S3ProtocolError('NoSuchBucket', 'The specified bucket does not exist', {
      elements: { BucketName: request.bucket },
    });
  }
  return bucket;
}

/** An id of 32 characters; later ones sort before earlier ones, so that a listing can go on from a deleted version. */
export function nextVersionId(world: World): string {
  world.sequence += 1;
  return (0xffff_ffff_ffff - world.sequence).toString(16).padStart(12, '0') + randomBytes(10).toString('hex');
}

/** Puts a version on top of its key. */
export function addVersion(bucket: Bucket, version: StoredVersion): void {
  let list = bucket.versions.get(version.key);
  if (list === undefined) {
    list = [];
    bucket.versions.set(version.key, list);
    bucket.keys.splice(lowerBound(bucket.keys, version.key), 0, version.key);
  }
  if (version.versionId === 'null') {
    const before = list.findIndex((candidate) => candidate.versionId === 'null');
    if (before !== -1) list.splice(before, 1);
  }
  list.unshift(version);
}

/** Takes a version away for good. */
export function removeVersion(bucket: Bucket, version: StoredVersion): void {
  const list = bucket.versions.get(version.key) ?? [];
  const rest = list.filter((candidate) => candidate !== version);
  if (rest.length > 0) {
    bucket.versions.set(version.key, rest);
    return;
  }
  bucket.versions.delete(version.key);
  const at = lowerBound(bucket.keys, version.key);
  if (bucket.keys[at] === version.key) bucket.keys.splice(at, 1);
}

/** The newest version of a key, which may be a delete marker. */
export function currentVersion(bucket: Bucket, key: string): StoredVersion | undefined {
  return bucket.versions.get(key)?.[0];
}

/** Finds a version by id, or undefined. */
export function versionById(bucket: Bucket, key: string, versionId: string): StoredVersion | undefined {
  return bucket.versions.get(key)?.find((candidate) => candidate.versionId === versionId);
}

/** Whether a text could be a version id of this server. */
export function isVersionId(text: string): boolean {
  return text === 'null' || /^[0-9a-f]{32}$/.test(text);
}

/**
 * The version that a request names with `versionId`, or the newest.
 *
 * @throws S3ProtocolError `NoSuchKey`, `NoSuchVersion`, `InvalidArgument`, `MethodNotAllowed` for a delete marker
 */
export function requestedVersion(bucket: Bucket, request: S3Request): StoredVersion {
  const versionId = queryOf(request, 'versionId');
  if (versionId === undefined) {
    const version = currentVersion(bucket, request.key);
    if (version === undefined || version.deleteMarker) {
      throw new S3ProtocolError('NoSuchKey', 'The specified key does not exist.', {
        elements: { Key: request.key },
        headers: version === undefined ? {} : { 'x-amz-delete-marker': 'true', 'x-amz-version-id': version.versionId },
      });
    }
    return version;
  }
  if (!isVersionId(versionId)) throw new S3ProtocolError('InvalidArgument', 'Invalid version id specified');
  const version = versionById(bucket, request.key, versionId);
  if (version === undefined) {
    throw new S3ProtocolError('NoSuchVersion', 'The specified version does not exist.', {
      elements: { Key: request.key, VersionId: versionId },
    });
  }
  if (version.deleteMarker) {
    throw new S3ProtocolError('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
      elements: { Method: request.method, ResourceType: 'DeleteMarker' },
      headers: {
        allow: 'DELETE',
        'x-amz-delete-marker': 'true',
        'x-amz-version-id': version.versionId,
        'last-modified': version.lastModified.toUTCString(),
      },
    });
  }
  return version;
}

/** The entity tag of bytes kept in one piece. AWS promises an MD5 only without KMS; with it, anything but one. */
export function etagOf(body: Uint8Array, encryption: Encryption | undefined): string {
  const hash = createHash('md5').update(body);
  if (encryption?.algorithm === 'aws:kms') hash.update(encryption.keyId ?? '');
  return `"${hash.digest('hex')}"`;
}

/** `x-amz-version-id`, which only a bucket that was ever versioned answers. */
export function versionHeader(bucket: Bucket, version: StoredVersion): Record<string, string> {
  return bucket.versioning === 'Off' ? {} : { 'x-amz-version-id': version.versionId };
}
