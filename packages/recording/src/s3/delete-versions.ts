import { DeleteObjectCommand, DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { type DeleteVersionsResult, MedzenError } from '@medzen/core';
import type { S3Bucket } from './bucket.ts';
import { asking, failureOf, isTransient, stopping, storeError } from './store-error.ts';

type Version = { readonly key: string; readonly versionId: string };
type Failure = DeleteVersionsResult['errors'][number];

const goneCodes: ReadonlySet<string> = new Set(['NoSuchVersion', 'NoSuchKey']);
const lockedCodes: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AllAccessDisabled',
  'InvalidRequest',
  'KMSAccessDeniedException',
  'MethodNotAllowed',
  'ObjectLocked',
]);

function failureFor(version: Version, code: string): Failure {
  return { ...version, reason: lockedCodes.has(code) ? 'locked' : 'transient', code };
}

/**
 * Whether a key comes through XML unchanged: XML 1.0 has no control characters, and parsers differ on line ends and on
 * spaces at the edges. The body of a multi-delete is XML, the path of a single one is not.
 */
function fitsXml(key: string): boolean {
  if (key.trim() !== key) return false;
  for (const char of key) {
    const point = char.codePointAt(0) ?? 0;
    if (point < 0x20 || (point >= 0x7f && point <= 0x9f) || point === 0xfffe || point === 0xffff) return false;
  }
  return true;
}

async function deleteOne(
  { client, bucket }: S3Bucket,
  version: Version,
  signal: AbortSignal | undefined,
): Promise<Failure | undefined> {
  const { key, versionId } = version;
  signal?.throwIfAborted();
  try {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }), stopping(signal));
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    const failure = failureOf(error);
    if (goneCodes.has(failure.code)) return undefined;
    if (failure.status === undefined || isTransient(failure))
      return { ...version, reason: 'transient', code: failure.code };
    return failureFor(version, failure.code);
  }
}

async function deleteMany(
  { client, bucket }: S3Bucket,
  versions: readonly Version[],
  signal: AbortSignal | undefined,
): Promise<Map<string, string>> {
  const Objects = versions.map(({ key, versionId }) => ({ Key: key, VersionId: versionId }));
  const command = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } });
  const result = await asking(() => client.send(command, stopping(signal)), signal);
  // a 200 says nothing by itself: each version has its own outcome, and one without is not known to be gone
  const outcome = new Map<string, string>();
  for (const { Key = '', VersionId = '' } of result.Deleted ?? []) outcome.set(`${VersionId} ${Key}`, '');
  for (const { Key = '', VersionId = '', Code = 'Unknown' } of result.Errors ?? []) {
    outcome.set(`${VersionId} ${Key}`, goneCodes.has(Code) ? '' : Code);
  }
  return outcome;
}

/**
 * Removes versions by id, up to 1 000 in one call, and reads what became of each.
 *
 * @throws MedzenError `store_unavailable` when nothing is known of any of them; `invalid_input`
 */
export async function deleteVersions(
  s3: S3Bucket,
  versions: readonly Version[],
  signal?: AbortSignal,
): Promise<DeleteVersionsResult> {
  if (versions.length > 1000) throw new MedzenError('invalid_input', 'One call deletes at most 1000 versions');
  if (versions.some(({ key, versionId }) => key === '' || versionId === '')) {
    throw new MedzenError('invalid_input', 'Each version needs a key and a versionId');
  }
  const deleted: Version[] = [];
  const errors: Failure[] = [];
  const together = versions.filter(({ key }) => fitsXml(key));
  if (together.length > 0) {
    const outcome = await deleteMany(s3, together, signal);
    for (const { key, versionId } of together) {
      const code = outcome.get(`${versionId} ${key}`) ?? 'NoAnswer';
      if (code === '') deleted.push({ key, versionId });
      else errors.push(failureFor({ key, versionId }, code));
    }
  }
  const alone = versions.filter(({ key }) => !fitsXml(key));
  for (const { key, versionId } of alone) {
    const failure = await deleteOne(s3, { key, versionId }, signal);
    if (failure === undefined) deleted.push({ key, versionId });
    else errors.push(failure);
  }
  if (
    together.length === 0 &&
    deleted.length === 0 &&
    errors.length > 0 &&
    errors.every((one) => one.reason === 'transient')
  ) {
    throw storeError({ name: errors[0]?.code });
  }
  return { deleted, errors };
}
