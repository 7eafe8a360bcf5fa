import { MedzenError } from '@medzen/core';
import type { TileSource } from '../tile-storage.ts';

/** The part of the AWS SDK that is used; it is loaded when a bucket is asked for, and only then must be there. */
interface S3Module {
  readonly S3Client: new (
    config: object,
  ) => { send(command: unknown): Promise<{ Body?: { transformToByteArray(): Promise<Uint8Array> } }> };
  readonly GetObjectCommand: new (input: { Bucket: string; Key: string }) => unknown;
}

/**
 * A log's static files in a bucket, with the credentials, region and endpoint that the AWS SDK finds in the environment.
 *
 * @throws MedzenError `invalid_configuration` when `@aws-sdk/client-s3` is not installed
 */
export async function bucketTiles(bucket: string, prefix: string): Promise<TileSource> {
  const sdk = '@aws-sdk/client-s3'; // not a literal in the import: bundlers must not ask for it
  const { S3Client, GetObjectCommand } = (await import(sdk).catch((cause: unknown) => {
    throw new MedzenError('invalid_configuration', `To read from a bucket, install ${sdk}`, { cause });
  })) as S3Module; // its own types are not a dependency
  const client = new S3Client({ forcePathStyle: true });
  return {
    read: async (path) => {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: prefix + path }));
        return await Body?.transformToByteArray();
      } catch (error) {
        if (error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound')) return undefined;
        throw new MedzenError('store_unavailable', `The bucket did not give ${path}`, { cause: error });
      }
    },
  };
}
