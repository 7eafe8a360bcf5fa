import { GetObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import {
  type Clock,
  MedzenError,
  type ObjectEncryption,
  type ObjectStore,
  type Random,
  systemClock,
  systemRandom,
} from '@medzen/core';
import type { S3Bucket } from './s3/bucket.ts';
import { deleteVersions } from './s3/delete-versions.ts';
import { listVersions } from './s3/list-versions.ts';
import { presignGet } from './s3/presign-get.ts';
import { putObject } from './s3/put-object.ts';
import { headOfTold, readHead } from './s3/read-head.ts';
import { askingFor, stopping } from './s3/store-error.ts';
import { abortUploads } from './s3/uploads.ts';

/** Options of the S3 object store. */
export interface S3ObjectsOptions {
  /** Versioning must be on. */
  readonly bucket: string;
  /**
   * Names the service in `location`. Give one when two services (AWS and an appliance, two accounts) have a bucket of the same name.
   * Default `s3`. 1–64 characters.
   */
  readonly store?: string;
  /** Stands in `location`. Default: the region of `config`, when it is a text. */
  readonly region?: string;
  /**
   * Required encryption of every object, verified after each put. `'none'` skips it: for test stores that cannot
   * encrypt.
   */
  readonly encryption: ObjectEncryption | 'none';
  /** A client of the host's. */
  readonly client?: S3Client;
  /** Or what to make one of. */
  readonly config?: S3ClientConfig;
  /** Bytes of a part, 5 MiB–5 GiB, and so about the memory of a put. Default 8 MiB. */
  readonly partSize?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Keeps objects in S3, or in a store that speaks its protocol. Puts are streamed in parts, in flat memory, with SHA-256
 * end to end; what is left by a killed process is found by `abortUploads`. Links are signed without the SDK.
 *
 * Needs `s3:PutObject`, `s3:PutObjectTagging`, `s3:GetObject`, `s3:GetObjectVersion`, `s3:GetObjectVersionTagging`,
 * `s3:ListBucketVersions`, `s3:ListBucketMultipartUploads`, `s3:AbortMultipartUpload`, `s3:DeleteObjectVersion`, where Object Lock is on
 * `s3:GetObjectRetention` and `s3:GetObjectLegalHold`, and, for KMS, `kms:GenerateDataKey` and `kms:Decrypt`.
 *
 * @param options - bucket, encryption, client or its configuration
 * @returns the store
 * @throws MedzenError `invalid_configuration`
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
 * @example
 * ```ts
 * import { s3Objects } from '@medzen/recording/s3';
 * const objects = s3Objects({
 *   bucket: 'clinic-recordings',
 *   config: { region: 'us-east-1' },
 *   encryption: { algorithm: 'aws:kms', keyId: 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab' },
 * });
 * ```
 */
export function s3Objects(options: S3ObjectsOptions): ObjectStore {
  const { bucket, encryption, clock = systemClock, random = systemRandom, partSize = 8 * 1024 * 1024 } = options;
  if (bucket === '') throw new MedzenError('invalid_configuration', 'The bucket has no name');
  if (!Number.isInteger(partSize) || partSize < 5 * 1024 ** 2 || partSize > 5 * 1024 ** 3) {
    throw new MedzenError('invalid_configuration', 'partSize must be an integer from 5 MiB to 5 GiB (bytes)');
  }
  const { store = 's3' } = options;
  if (store.length < 1 || store.length > 64)
    throw new MedzenError('invalid_configuration', 'store must have 1 to 64 characters');
  const named = options.config?.region;
  const region = options.region ?? (typeof named === 'string' ? named : undefined);
  const client = options.client ?? new S3Client(options.config ?? {});
  const s3: S3Bucket = { client, bucket, encryption, partSize, random };
  return {
    location: { store, bucket, ...(region === undefined ? {} : { region }) },
    put: (key, body, put) => putObject(s3, key, body, put),
    head: async (key, versionId, options) => (await readHead(s3, key, versionId, options))?.head,
    get: async (key, { versionId, range, signal } = {}) => {
      if (range !== undefined) {
        const { first, last = first } = range;
        if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 0 || last < first) {
          throw new MedzenError('invalid_input', 'The range is not within the object');
        }
      }
      const Range = range === undefined ? undefined : `bytes=${range.first}-${range.last ?? ''}`;
      const input = { Bucket: bucket, Key: key, VersionId: versionId, Range };
      const got = await askingFor(() => client.send(new GetObjectCommand(input), stopping(signal)), signal);
      if (got?.Body === undefined) return undefined;
      const size = Number(/\/(\d+)$/.exec(got.ContentRange ?? '')?.[1] ?? got.ContentLength ?? 0);
      const body = got.Body.transformToWebStream() as ReadableStream<Uint8Array>; // the SDK's type leaves the chunk open
      const read = await headOfTold(s3, key, got, size, signal === undefined ? {} : { signal }).catch(
        async (error: unknown) => {
          await body.cancel().catch(() => undefined); // its connection would never be free again
          throw error;
        },
      );
      if (read === undefined) {
        await body.cancel();
        return undefined;
      }
      return { head: read.head, body };
    },
    listVersions: (prefix, page) => listVersions(s3, prefix, page),
    deleteVersions: async (versions, options) =>
      versions.length === 0 ? { deleted: [], errors: [] } : deleteVersions(s3, versions, options?.signal),
    abortUploads: (prefix, options) => abortUploads(s3, prefix, options?.signal),
    presignGet: (key, link) => presignGet(s3, clock, key, link),
  };
}
