import { S3ProtocolError } from './protocol-error.ts';
import type { S3Request, S3Response } from './request.ts';
import { type Bucket, bucketOf, type Retention, requestedVersion, type StoredVersion, type World } from './world.ts';
import { nodeOf, readXml, textOf, writeXml } from './xml.ts';

/**
 * Why a version may not be removed now, or undefined.
 *
 * @param bypass - the request carries `x-amz-bypass-governance-retention: true`, which lifts governance only
 */
export function lockedBy(version: StoredVersion, now: Date, bypass: boolean): string | undefined {
  const denied = 'Access Denied because object protected by object lock.';
  if (version.legalHold) return denied;
  const retention = version.retention;
  if (retention === undefined || retention.until.getTime() <= now.getTime()) return undefined;
  return retention.mode === 'GOVERNANCE' && bypass ? undefined : denied;
}

function needsLock(bucket: Bucket): void {
  if (!bucket.lockEnabled) throw new S3ProtocolError('InvalidRequest', 'Bucket is missing Object Lock Configuration');
}

function modeOf(text: string | undefined): Retention['mode'] {
  if (text === 'GOVERNANCE' || text === 'COMPLIANCE') return text;
  throw new S3ProtocolError('MalformedXML', 'Unknown retention mode');
}

function untilOf(text: string | undefined, now: Date): Date {
  const until = new Date(text ?? '');
  if (Number.isNaN(until.getTime())) throw new S3ProtocolError('MalformedXML', 'Not a retention date');
  if (until.getTime() <= now.getTime()) {
    throw new S3ProtocolError('InvalidArgument', 'The retain until date must be in the future!');
  }
  return until;
}

/** The lock that a write asks for in its headers, or the bucket's default. */
export function lockOfWrite(
  world: World,
  bucket: Bucket,
  headers: Readonly<Record<string, string>>,
): { readonly retention: Retention | undefined; readonly legalHold: boolean } {
  const mode = headers['x-amz-object-lock-mode'];
  const until = headers['x-amz-object-lock-retain-until-date'];
  const hold = headers['x-amz-object-lock-legal-hold'];
  if (mode === undefined && until === undefined && hold === undefined) {
    const standard = bucket.defaultRetention;
    if (standard === undefined) return { retention: undefined, legalHold: false };
    const end = new Date(world.clock.now().getTime() + standard.days * 86_400_000);
    return { retention: { mode: standard.mode, until: end }, legalHold: false };
  }
  needsLock(bucket);
  const proved = Object.keys(headers).some((name) => name === 'content-md5' || name.startsWith('x-amz-checksum-'));
  if (!proved && headers['x-amz-trailer'] === undefined) {
    throw new S3ProtocolError(
      'InvalidRequest',
      'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
    );
  }
  if ((mode === undefined) !== (until === undefined)) {
    throw new S3ProtocolError(
      'InvalidArgument',
      'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied',
    );
  }
  const retention = mode === undefined ? undefined : { mode: modeOf(mode), until: untilOf(until, world.clock.now()) };
  return { retention, legalHold: hold === 'ON' };
}

/** The lock of a version, as HEAD and GET tell it. */
export function lockHeaders(version: StoredVersion): Record<string, string> {
  const headers: Record<string, string> = {};
  if (version.retention !== undefined) {
    headers['x-amz-object-lock-mode'] = version.retention.mode;
    headers['x-amz-object-lock-retain-until-date'] = version.retention.until.toISOString();
  }
  if (version.legalHold) headers['x-amz-object-lock-legal-hold'] = 'ON';
  return headers;
}

/** `PUT ?retention` */
export function putRetention(world: World, request: S3Request, body: Uint8Array): S3Response {
  const bucket = bucketOf(world, request);
  needsLock(bucket);
  const version = requestedVersion(bucket, request);
  const node = readXml(body, 'Retention');
  const now = world.clock.now();
  const asked: Retention | undefined =
    textOf(node.Mode) === undefined
      ? undefined
      : { mode: modeOf(textOf(node.Mode)), until: untilOf(textOf(node.RetainUntilDate), now) };
  const present = version.retention;
  if (present !== undefined && present.until.getTime() > now.getTime()) {
    const weaker =
      asked === undefined ||
      asked.until.getTime() < present.until.getTime() ||
      (present.mode === 'COMPLIANCE' && asked.mode === 'GOVERNANCE');
    const bypass = bypasses(request);
    if (weaker && !(present.mode === 'GOVERNANCE' && bypass)) {
      throw new S3ProtocolError('AccessDenied', 'Access Denied because object protected by object lock.');
    }
  }
  version.retention = asked;
  return { status: 200, headers: {}, body: '' };
}

/** `GET ?retention` */
export function getRetention(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  needsLock(bucket);
  const { retention } = requestedVersion(bucket, request);
  if (retention === undefined) {
    throw new S3ProtocolError(
      'NoSuchObjectLockConfiguration',
      'The specified object does not have a ObjectLock configuration',
    );
  }
  const body = writeXml('Retention', { Mode: retention.mode, RetainUntilDate: retention.until.toISOString() });
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

/** `PUT ?legal-hold` */
export function putLegalHold(world: World, request: S3Request, body: Uint8Array): S3Response {
  const bucket = bucketOf(world, request);
  needsLock(bucket);
  const version = requestedVersion(bucket, request);
  const status = textOf(readXml(body, 'LegalHold').Status);
  if (status !== 'ON' && status !== 'OFF') throw new S3ProtocolError('MalformedXML', 'Not a legal hold status');
  version.legalHold = status === 'ON';
  return { status: 200, headers: {}, body: '' };
}

/** `GET ?legal-hold` */
export function getLegalHold(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  needsLock(bucket);
  const body = writeXml('LegalHold', { Status: requestedVersion(bucket, request).legalHold ? 'ON' : 'OFF' });
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

/** `PUT ?object-lock` on a bucket: its default retention. */
export function putLockConfiguration(world: World, request: S3Request, body: Uint8Array): S3Response {
  const bucket = bucketOf(world, request);
  if (!bucket.lockEnabled) {
    throw new S3ProtocolError('InvalidBucketState', 'Object Lock configuration cannot be enabled on existing buckets');
  }
  const node = readXml(body, 'ObjectLockConfiguration');
  const standard = nodeOf(nodeOf(Array.isArray(node.Rule) ? node.Rule[0] : undefined).DefaultRetention);
  if (textOf(standard.Mode) === undefined) {
    bucket.defaultRetention = undefined;
  } else {
    const days = Number(textOf(standard.Days) ?? Number(textOf(standard.Years)) * 365);
    if (!Number.isInteger(days) || days < 1) throw new S3ProtocolError('MalformedXML', 'Not a retention period');
    bucket.defaultRetention = { mode: modeOf(textOf(standard.Mode)), days };
  }
  return { status: 200, headers: {}, body: '' };
}

/** `GET ?object-lock` on a bucket. */
export function getLockConfiguration(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  if (!bucket.lockEnabled) {
    throw new S3ProtocolError(
      'ObjectLockConfigurationNotFoundError',
      'Object Lock configuration does not exist for this bucket',
    );
  }
  const standard = bucket.defaultRetention;
  const body = writeXml('ObjectLockConfiguration', {
    ObjectLockEnabled: 'Enabled',
    Rule: standard === undefined ? undefined : { DefaultRetention: { Mode: standard.mode, Days: standard.days } },
  });
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

/** Whether the request lifts governance retention. */
export function bypasses(request: S3Request): boolean {
  return request.headers['x-amz-bypass-governance-retention'] === 'true';
}
