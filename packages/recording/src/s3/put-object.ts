import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import {
  MedzenError,
  type ObjectEncryption,
  type ObjectHead,
  type PutObjectOptions,
  sha256,
  sha256Hasher,
  toBase64,
  toHex,
} from '@medzen/core';
import { digestName, putName, type S3Bucket } from './bucket.ts';
import { deleteVersions } from './delete-versions.ts';
import { listVersions } from './list-versions.ts';
import { partsOf } from './parts.ts';
import { type ReadHead, readHead } from './read-head.ts';
import { asking } from './store-error.ts';
import { abortUpload } from './uploads.ts';

const maximumParts = 10_000;

/** What was sent, to be compared with what is read back. */
interface Sent {
  readonly size: number;
  readonly digest: Uint8Array;
  /** As S3 tells it; absent where the store keeps none. */
  readonly checksum: string;
  readonly versionId: string | undefined;
  /** The SDK sent the last call more than once, so the version may be there twice. */
  readonly repeated: boolean;
}

/** @throws MedzenError `invalid_input`; the signal's reason when it was aborted already */
function checkPut(key: string, options: PutObjectOptions): void {
  const size = new TextEncoder().encode(key).length;
  if (size < 1 || size > 1024 || !key.isWellFormed()) {
    throw new MedzenError('invalid_input', 'An object key has 1 to 1024 bytes of UTF-8');
  }
  if (!/^[\x20-\x7e]+$/.test(options.contentType))
    throw new MedzenError('invalid_input', 'contentType must be non-empty printable ASCII');
  const { contentLength, sha256: digest } = options;
  if (contentLength !== undefined && !(Number.isSafeInteger(contentLength) && contentLength >= 0)) {
    throw new MedzenError('invalid_input', 'contentLength must be an integer ≥ 0');
  }
  if (digest !== undefined && digest.length !== 32) throw new MedzenError('invalid_input', 'A SHA-256 has 32 bytes');
  options.signal?.throwIfAborted();
}

function checkSent(options: PutObjectOptions, size: number, digest: Uint8Array): void {
  if (options.contentLength !== undefined && options.contentLength !== size) {
    throw new MedzenError('checksum_mismatch', `${size} bytes came, ${options.contentLength} were announced`);
  }
  if (options.sha256?.some((byte, i) => byte !== digest[i])) {
    throw new MedzenError('checksum_mismatch', 'The bytes do not have the SHA-256 that was announced');
  }
}

function encryptionInput(encryption: ObjectEncryption | 'none') {
  if (encryption === 'none') return {};
  const keyId = encryption.algorithm === 'aws:kms' ? encryption.keyId : undefined;
  return { ServerSideEncryption: encryption.algorithm, ...(keyId === undefined ? {} : { SSEKMSKeyId: keyId }) };
}

/** Whether what was read back is what was asked for. Keys are told as ARNs, but may be asked for by id or alias. */
function isEncrypted(asked: ObjectEncryption | 'none', told: ObjectEncryption | undefined): boolean {
  if (asked === 'none') return true;
  if (told?.algorithm !== asked.algorithm) return false;
  if (asked.algorithm !== 'aws:kms' || told.algorithm !== 'aws:kms' || asked.keyId === undefined) return true;
  if (asked.keyId.includes('alias/')) return true;
  return told.keyId === asked.keyId || told.keyId?.endsWith(`/${asked.keyId}`) === true;
}

/**
 * Stores a version. One part's worth goes in one PUT; more in parts, one at a time in one buffer. The SHA-256 of what was
 * read is compared with what was announced before anything becomes visible, and with what S3 tells afterwards.
 */
export async function putObject(
  s3: S3Bucket,
  key: string,
  body: Uint8Array | ReadableStream<Uint8Array>,
  options: PutObjectOptions,
): Promise<ObjectHead> {
  checkPut(key, options);
  const id = toHex(s3.random.bytes(16));
  const size = Math.max(s3.partSize, Math.ceil((options.contentLength ?? 0) / maximumParts));
  const parts = partsOf(body, size, options.signal);
  try {
    const first = await parts.next();
    const bytes = first.value ?? new Uint8Array();
    const sent =
      bytes.length < size
        ? await putWhole(s3, key, bytes, options, id)
        : await putParts(s3, key, bytes, parts, options, id);
    try {
      return await settle(s3, key, id, sent, options.moved);
    } catch (error) {
      await removeVersions(s3, key, id).catch(() => undefined); // the first failure is the one to tell; a listing shows the rest
      throw error;
    }
  } finally {
    await parts.return();
  }
}

async function putWhole(
  s3: S3Bucket,
  key: string,
  bytes: Uint8Array,
  options: PutObjectOptions,
  id: string,
): Promise<Sent> {
  const digest = sha256(bytes);
  checkSent(options, bytes.length, digest);
  const checksum = toBase64(digest);
  const command = new PutObjectCommand({
    Bucket: s3.bucket,
    Key: key,
    Body: bytes,
    ContentLength: bytes.length,
    ContentType: options.contentType,
    ChecksumSHA256: checksum,
    Metadata: { [digestName]: toHex(digest), [putName]: id },
    ...(options.ifExists === 'refuse' ? { IfNoneMatch: '*' } : {}),
    ...encryptionInput(s3.encryption),
  });
  const sent = { size: bytes.length, digest, checksum };
  const done = await finishing(s3, key, id, options, () => s3.client.send(command, abortable(options)));
  return { ...sent, ...done };
}

async function putParts(
  s3: S3Bucket,
  key: string,
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void, void>,
  options: PutObjectOptions,
  id: string,
): Promise<Sent> {
  const at = { Bucket: s3.bucket, Key: key };
  const known = options.sha256 === undefined ? {} : { [digestName]: toHex(options.sha256) };
  const create = new CreateMultipartUploadCommand({
    ...at,
    ContentType: options.contentType,
    ChecksumAlgorithm: 'SHA256',
    Metadata: { ...known, [putName]: id },
    ...encryptionInput(s3.encryption),
  });
  const { UploadId } = await asking(() => s3.client.send(create, abortable(options)));
  if (UploadId === undefined) throw new MedzenError('store_unavailable', 'The object store began no upload');
  try {
    const hasher = sha256Hasher();
    const digests: Uint8Array[] = [];
    const Parts: { PartNumber: number; ETag: string | undefined; ChecksumSHA256: string }[] = [];
    let size = 0;
    for (
      let bytes: Uint8Array | undefined = first;
      bytes !== undefined;
      bytes = (await rest.next()).value ?? undefined
    ) {
      const PartNumber = Parts.length + 1;
      if (PartNumber > maximumParts)
        throw new MedzenError('invalid_input', 'The object has too many parts; say its length');
      const Body = bytes;
      const digest = sha256(Body);
      const ChecksumSHA256 = toBase64(digest);
      const command = new UploadPartCommand({
        ...at,
        UploadId,
        PartNumber,
        Body,
        ContentLength: Body.length,
        ChecksumSHA256,
      });
      const { ETag } = await asking(() => s3.client.send(command, abortable(options)));
      hasher.update(Body);
      digests.push(digest);
      Parts.push({ PartNumber, ETag, ChecksumSHA256 });
      size += Body.length;
    }
    const digest = hasher.digest();
    checkSent(options, size, digest);
    const command = new CompleteMultipartUploadCommand({
      ...at,
      UploadId,
      MultipartUpload: { Parts },
      ...(options.ifExists === 'refuse' ? { IfNoneMatch: '*' } : {}),
    });
    const done = await finishing(s3, key, id, options, () => s3.client.send(command, abortable(options)));
    if (options.sha256 === undefined && done.versionId !== undefined) {
      // the digest is known only now, and S3 keeps one of whole objects only for those put whole
      const Tagging = { TagSet: [{ Key: digestName, Value: toHex(digest) }] };
      const VersionId = done.versionId;
      await s3.client.send(new PutObjectTaggingCommand({ ...at, VersionId, Tagging })).catch(() => undefined); // without it, a head reads the bytes
    }
    return { size, digest, checksum: `${toBase64(sha256(...digests))}-${Parts.length}`, ...done };
  } catch (error) {
    await abortUpload(s3, key, UploadId).catch(() => undefined); // the first failure is the one to tell; abortUploads finds the rest
    throw error;
  }
}

function abortable(options: PutObjectOptions): { abortSignal?: AbortSignal } {
  return options.signal === undefined ? {} : { abortSignal: options.signal };
}

/**
 * The call that makes a version visible. When its answer is lost, the version may be there all the same: it is looked for
 * by the id that only this put has written, and then kept, or removed if the caller gave up meanwhile.
 */
async function finishing(
  s3: S3Bucket,
  key: string,
  id: string,
  options: PutObjectOptions,
  call: () => Promise<{ VersionId?: string | undefined; $metadata: { attempts?: number | undefined } }>,
): Promise<{ versionId: string | undefined; repeated: boolean }> {
  try {
    const { VersionId, $metadata } = await asking(call);
    return { versionId: VersionId, repeated: ($metadata.attempts ?? 1) > 1 };
  } catch (error) {
    const [found] = await versionsOfPut(s3, key, id).catch(() => []); // the first failure is the one to tell
    if (found === undefined) {
      options.signal?.throwIfAborted();
      throw error;
    }
    if (options.signal?.aborted) {
      await removeVersions(s3, key, id);
      options.signal.throwIfAborted();
    }
    return { versionId: found, repeated: true };
  }
}

/** The versions that a put made: one, or more when a call was sent again. */
async function versionsOfPut(s3: S3Bucket, key: string, id: string): Promise<readonly string[]> {
  const { versions } = await listVersions(s3, key, { limit: 50 });
  const found: string[] = [];
  for (const version of versions) {
    if (version.key !== key || version.isDeleteMarker) continue;
    const read = await readHead(s3, key, version.versionId);
    if (read?.put === id) found.push(version.versionId);
  }
  return found;
}

async function removeVersions(s3: S3Bucket, key: string, id: string, keep?: string): Promise<void> {
  const versions = (await versionsOfPut(s3, key, id)).filter((versionId) => versionId !== keep);
  if (versions.length > 0)
    await deleteVersions(
      s3,
      versions.map((versionId) => ({ key, versionId })),
    );
}

/** Reads the version back and compares; what is not as it was asked for is removed again. */
async function settle(
  s3: S3Bucket,
  key: string,
  id: string,
  sent: Sent,
  moved: PutObjectOptions['moved'],
): Promise<ObjectHead> {
  const { versionId } = sent;
  if (versionId === undefined || versionId === 'null') {
    if (versionId === 'null') await deleteVersions(s3, [{ key, versionId }]);
    throw new MedzenError('invalid_configuration', 'The bucket does not keep versions');
  }
  const read = await readHead(s3, key, versionId, moved === undefined ? {} : { moved });
  if (read === undefined) throw new MedzenError('store_unavailable', 'The object store does not show what it stored');
  const problem = problemOf(s3, read, sent);
  if (problem !== undefined) throw problem;
  if (sent.repeated) await removeVersions(s3, key, id, versionId);
  return { ...read.head, sha256: sent.digest };
}

function problemOf(s3: S3Bucket, { head, checksum }: ReadHead, sent: Sent): MedzenError | undefined {
  if (head.size !== sent.size || (checksum !== undefined && checksum !== sent.checksum)) {
    return new MedzenError('checksum_mismatch', 'The store has other bytes than were put');
  }
  if (head.sha256.some((byte, i) => byte !== sent.digest[i])) {
    return new MedzenError('checksum_mismatch', 'The store notes another SHA-256 than was put');
  }
  if (!isEncrypted(s3.encryption, head.encryption)) {
    return new MedzenError('invalid_configuration', 'The store did not encrypt as it was asked to');
  }
  return undefined;
}
