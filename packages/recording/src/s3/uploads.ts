import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import type { S3Bucket } from './bucket.ts';
import { keyOfListing } from './list-versions.ts';
import { asking, askingFor, stopping } from './store-error.ts';

/** Aborts one upload; one that is gone already is as good. */
export async function abortUpload(
  { client, bucket }: S3Bucket,
  key: string,
  uploadId: string,
  signal?: AbortSignal,
): Promise<void> {
  const input = { Bucket: bucket, Key: key, UploadId: uploadId };
  await askingFor(() => client.send(new AbortMultipartUploadCommand(input), stopping(signal)), signal);
}

/** Aborts every upload in progress under a prefix. @returns how many there were */
export async function abortUploads(s3: S3Bucket, prefix: string, signal?: AbortSignal): Promise<number> {
  let count = 0;
  let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (;;) {
    const { client, bucket } = s3;
    const input = { Bucket: bucket, Prefix: prefix, EncodingType: 'url' as const, ...marker };
    const page = await asking(() => client.send(new ListMultipartUploadsCommand(input), stopping(signal)), signal);
    for (const { Key, UploadId } of page.Uploads ?? []) {
      if (UploadId === undefined) continue;
      await abortUpload(s3, keyOfListing(Key), UploadId, signal);
      count += 1;
    }
    if (page.IsTruncated !== true) return count;
    marker = {
      KeyMarker: keyOfListing(page.NextKeyMarker),
      ...(page.NextUploadIdMarker === undefined ? {} : { UploadIdMarker: page.NextUploadIdMarker }),
    };
  }
}
