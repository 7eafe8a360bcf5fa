import type { S3Client } from '@aws-sdk/client-s3';
import type { ObjectEncryption, Random } from '@medzen/core';

/** Bucket settings shared by all operations. */
export interface S3Bucket {
  readonly client: S3Client;
  readonly bucket: string;
  /** `none`: neither asked for nor checked. */
  readonly encryption: ObjectEncryption | 'none';
  readonly partSize: number;
  readonly random: Random;
}

/** Metadata under which a put writes the SHA-256 of its bytes, when it knows it beforehand; a tag of this name otherwise. */
export const digestName = 'medzen-sha256';

/** Metadata by which a put finds its own version again when the answer was lost. */
export const putName = 'medzen-put';
