import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  type GetObjectTaggingCommandOutput,
  HeadObjectCommand,
} from '@aws-sdk/client-s3';
import {
  fromHex,
  isMedzenError,
  MedzenError,
  type ObjectCallOptions,
  type ObjectEncryption,
  type ObjectHead,
  type ObjectLock,
  sha256Hasher,
  toHex,
} from '@medzen/core';
import { digestName, putName, type S3Bucket } from './bucket.ts';
import { askingFor, stopping } from './store-error.ts';

/** Metadata that HEAD and GET both return. */
export interface ToldHead {
  readonly VersionId?: string | undefined;
  readonly ContentType?: string | undefined;
  readonly Metadata?: Readonly<Record<string, string>> | undefined;
  readonly ChecksumSHA256?: string | undefined;
  readonly ServerSideEncryption?: string | undefined;
  readonly SSEKMSKeyId?: string | undefined;
  readonly LastModified?: Date | undefined;
  readonly StorageClass?: string | undefined;
  readonly ObjectLockMode?: string | undefined;
  readonly ObjectLockRetainUntilDate?: Date | undefined;
  readonly ObjectLockLegalHoldStatus?: string | undefined;
}

/** A head, with what only a put asks about. */
export interface ReadHead {
  readonly head: ObjectHead;
  /** Which put made the version. */
  readonly put: string | undefined;
  /** The store's own checksum, verified by it; of all parts' checksums when it ends in `-n`. */
  readonly checksum: string | undefined;
}

function encryptionOf(told: ToldHead): ObjectEncryption | undefined {
  const { ServerSideEncryption: algorithm, SSEKMSKeyId: keyId } = told;
  if (algorithm === 'AES256') return { algorithm };
  if (algorithm === 'aws:kms') return keyId === undefined ? { algorithm } : { algorithm, keyId };
  return undefined;
}

function lockOf(told: ToldHead): ObjectLock | undefined {
  const { ObjectLockMode, ObjectLockRetainUntilDate: retainUntil, ObjectLockLegalHoldStatus } = told;
  const legalHold = ObjectLockLegalHoldStatus === 'ON';
  if (retainUntil === undefined && !legalHold) return undefined;
  return {
    ...(retainUntil === undefined ? {} : { retainUntil }),
    ...(ObjectLockMode === 'COMPLIANCE' ? { mode: 'compliance' } : {}),
    ...(ObjectLockMode === 'GOVERNANCE' ? { mode: 'governance' } : {}),
    ...(legalHold ? { legalHold } : {}),
  };
}

async function readDigest(
  { client, bucket }: S3Bucket,
  key: string,
  versionId: string,
  { signal, moved }: ObjectCallOptions,
): Promise<string | undefined> {
  const at = { Bucket: bucket, Key: key, VersionId: versionId };
  const read = (): Promise<GetObjectTaggingCommandOutput> =>
    client.send(new GetObjectTaggingCommand(at), stopping(signal));
  const tags = await askingFor(read, signal).catch((error: unknown) => {
    if (isMedzenError(error) && !error.retryable) return undefined; // no permission to read tags: the bytes will do
    throw error;
  });
  const tag = tags?.TagSet?.find(({ Key }) => Key === digestName)?.Value;
  if (tag !== undefined && /^[0-9a-f]{64}$/.test(tag)) return tag;
  // someone else's object, or a put that died between its last two calls: the bytes themselves say it
  const got = await askingFor(() => client.send(new GetObjectCommand(at), stopping(signal)), signal);
  if (got?.Body === undefined) return undefined;
  const hasher = sha256Hasher();
  // the SDK's type leaves the chunk open
  for await (const chunk of got.Body.transformToWebStream() as ReadableStream<Uint8Array>) {
    hasher.update(chunk);
    moved?.();
  }
  return toHex(hasher.digest());
}

/** Makes the port's head of what S3 told. Undefined when the version went away meanwhile. */
export async function headOfTold(
  s3: S3Bucket,
  key: string,
  told: ToldHead,
  size: number,
  options: ObjectCallOptions = {},
): Promise<ReadHead | undefined> {
  const versionId = told.VersionId ?? 'null';
  const checksum = told.ChecksumSHA256;
  const whole = checksum !== undefined && !checksum.includes('-') ? toHex(bytesOfBase64(checksum)) : undefined;
  const noted = told.Metadata?.[digestName];
  const stated = noted !== undefined && /^[0-9a-f]{64}$/.test(noted) ? noted : undefined;
  if (whole !== undefined && stated !== undefined && whole !== stated) {
    throw new MedzenError('checksum_mismatch', 'The store has other bytes than were put');
  }
  const digest = whole ?? stated ?? (await readDigest(s3, key, versionId, options));
  if (digest === undefined) return undefined;
  const encryption = encryptionOf(told);
  const lock = lockOf(told);
  return {
    head: {
      key,
      versionId,
      size,
      contentType: told.ContentType ?? 'application/octet-stream',
      sha256: fromHex(digest),
      ...(encryption === undefined ? {} : { encryption }),
      lastModified: told.LastModified ?? new Date(0),
      ...(lock === undefined ? {} : { lock }),
      ...(told.StorageClass === undefined ? {} : { storageClass: told.StorageClass }),
    },
    put: told.Metadata?.[putName],
    checksum,
  };
}

function bytesOfBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** HEAD of a version, or of the newest. */
export async function readHead(
  s3: S3Bucket,
  key: string,
  versionId?: string,
  options: ObjectCallOptions = {},
): Promise<ReadHead | undefined> {
  const input = { Bucket: s3.bucket, Key: key, VersionId: versionId, ChecksumMode: 'ENABLED' as const };
  const told = await askingFor(
    () => s3.client.send(new HeadObjectCommand(input), stopping(options.signal)),
    options.signal,
  );
  return told && headOfTold(s3, key, told, told.ContentLength ?? 0, options);
}
