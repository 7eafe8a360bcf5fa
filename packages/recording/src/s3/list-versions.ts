import { ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { MedzenError, type ObjectVersion, type ObjectVersionPage } from '@medzen/core';
import type { S3Bucket } from './bucket.ts';
import { asking, stopping } from './store-error.ts';

/** Keys come percent-encoded, because XML cannot hold every character that a key may have. */
export function keyOfListing(text: string | undefined): string {
  return decodeURIComponent((text ?? '').replaceAll('+', ' '));
}

type Marker = { readonly KeyMarker: string; readonly VersionIdMarker?: string };

function readCursor(cursor: string): Marker {
  try {
    const [key, version] = JSON.parse(decodeURIComponent(cursor)) as unknown[]; // checked below
    if (typeof key === 'string' && key !== '') {
      if (version === null) return { KeyMarker: key };
      if (typeof version === 'string') return { KeyMarker: key, VersionIdMarker: version };
    }
  } catch (cause) {
    throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this store', { cause });
  }
  throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this store');
}

/** One page of versions and delete markers. */
export async function listVersions(
  { client, bucket }: S3Bucket,
  prefix: string,
  {
    cursor,
    limit = 1000,
    signal,
  }: { readonly cursor?: string; readonly limit?: number; readonly signal?: AbortSignal } = {},
): Promise<ObjectVersionPage> {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new MedzenError('invalid_input', 'limit must be an integer from 1 to 1000');
  }
  const marker = cursor === undefined ? {} : readCursor(cursor);
  const input = { Bucket: bucket, Prefix: prefix, MaxKeys: limit, EncodingType: 'url' as const, ...marker };
  const page = await asking(() => client.send(new ListObjectVersionsCommand(input), stopping(signal)), signal);
  const row = (
    one: { Key?: string | undefined; VersionId?: string | undefined; IsLatest?: boolean | undefined },
    isDeleteMarker: boolean,
    size: number,
  ): ObjectVersion => ({
    key: keyOfListing(one.Key),
    versionId: one.VersionId ?? 'null',
    isDeleteMarker,
    isLatest: one.IsLatest === true,
    size,
  });
  const versions = [
    ...(page.Versions ?? []).map((one) => row(one, false, one.Size ?? 0)),
    ...(page.DeleteMarkers ?? []).map((one) => row(one, true, 0)),
  ];
  if (page.IsTruncated !== true) return { versions };
  const next = JSON.stringify([keyOfListing(page.NextKeyMarker), page.NextVersionIdMarker ?? null]);
  return { versions, cursor: encodeURIComponent(next) };
}
