import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutBucketVersioningCommand,
  PutObjectLegalHoldCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import type { Clock, ObjectEncryption } from '@medzen/core';
import type { ObjectStoreContext } from '@medzen/testing';
import { s3Objects } from '../s3.ts';

/** What is needed of a server to run the object store suite against it. */
export interface S3StoreTarget {
  readonly config: S3ClientConfig;
  /** Not yet used; made with versions and, if asked for, Object Lock. */
  readonly bucket: string;
  readonly objectLock: boolean;
  readonly encryption: ObjectEncryption | 'none';
  readonly clock?: Clock;
  advance?(ms: number): Promise<void>;
  breakDown?(): Promise<void>;
}

const undeclared = (): Promise<never> => Promise.reject(new Error('not declared'));

/** A store over a new bucket of a real or strict server, with what the suite does beside the port. */
export async function s3StoreContext(
  target: S3StoreTarget,
): Promise<ObjectStoreContext & { readonly client: S3Client }> {
  const { bucket: Bucket, encryption, objectLock } = target;
  const client = new S3Client({ forcePathStyle: true, ...target.config });
  await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: objectLock }));
  if (!objectLock) {
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  }
  return {
    client,
    objects: s3Objects({
      client,
      bucket: Bucket,
      encryption,
      partSize: 5 * 1024 * 1024,
      ...(target.clock === undefined ? {} : { clock: target.clock }),
    }),
    fetch: (url, init) => fetch(url, init),
    addDeleteMarker: async (Key) => {
      const { VersionId } = await client.send(new DeleteObjectCommand({ Bucket, Key }));
      return VersionId ?? '';
    },
    leaveUpload: async (Key) => {
      await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    },
    lock: async (Key, VersionId) => {
      const LegalHold = { Status: 'ON' as const };
      await client.send(new PutObjectLegalHoldCommand({ Bucket, Key, VersionId, LegalHold }));
    },
    readDirectly: async (Key, VersionId) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, VersionId }));
      return (await Body?.transformToByteArray()) ?? new Uint8Array();
    },
    advance: target.advance ?? undeclared,
    breakDown: target.breakDown ?? undeclared,
  };
}
