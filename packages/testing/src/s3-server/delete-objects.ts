import { checkBody, statedChecksums } from './checksums.ts';
import { bypasses, lockedBy } from './object-lock.ts';
import type { Payload } from './payload.ts';
import { S3ProtocolError } from './protocol-error.ts';
import { queryOf, type S3Request, type S3Response } from './request.ts';
import {
  addVersion,
  type Bucket,
  bucketOf,
  isVersionId,
  nextVersionId,
  removeVersion,
  type StoredVersion,
  versionById,
  type World,
} from './world.ts';
import { nodesOf, readXml, textOf, writeXml, type XmlValue } from './xml.ts';

interface Removal {
  /** The version that is gone, or the marker that was made. */
  readonly versionId: string | undefined;
  readonly deleteMarker: boolean;
}

function mark(world: World, bucket: Bucket, key: string): StoredVersion {
  const marker: StoredVersion = {
    key,
    versionId: bucket.versioning === 'Enabled' ? nextVersionId(world) : 'null',
    deleteMarker: true,
    lastModified: world.clock.now(),
    etag: '',
    body: new Uint8Array(),
    headers: {},
    checksums: {},
    checksumType: 'FULL_OBJECT',
    encryption: undefined,
    retention: undefined,
    legalHold: false,
  };
  addVersion(bucket, marker);
  return marker;
}

function remove(world: World, bucket: Bucket, key: string, versionId: string | undefined, bypass: boolean): Removal {
  if (versionId === undefined && bucket.versioning !== 'Off') {
    return { versionId: mark(world, bucket, key).versionId, deleteMarker: true };
  }
  const version = versionById(bucket, key, versionId ?? 'null');
  if (version === undefined) return { versionId, deleteMarker: false };
  const reason = lockedBy(version, world.clock.now(), bypass);
  if (reason !== undefined) throw new S3ProtocolError('AccessDenied', reason);
  removeVersion(bucket, version);
  return { versionId, deleteMarker: version.deleteMarker };
}

/** DELETE of one object or one version. */
export function deleteObject(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  const versionId = queryOf(request, 'versionId');
  if (versionId !== undefined && !isVersionId(versionId)) {
    throw new S3ProtocolError('InvalidArgument', 'Invalid version id specified');
  }
  const removal = remove(world, bucket, request.key, versionId, bypasses(request));
  const headers: Record<string, string> = {};
  if (removal.versionId !== undefined) headers['x-amz-version-id'] = removal.versionId;
  if (removal.deleteMarker) headers['x-amz-delete-marker'] = 'true';
  return { status: 204, headers, body: '' };
}

/** An error that a test wants for one key of a multi-delete, or undefined. */
export type DeleteFault = (key: string, versionId: string | undefined) => { code: string; message: string } | undefined;

/**
 * `POST ?delete`: up to 1 000 keys, each with its own outcome inside a 200.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 */
export function deleteObjects(world: World, request: S3Request, payload: Payload, fault: DeleteFault): S3Response {
  const bucket = bucketOf(world, request);
  const all = { ...request.headers, ...payload.trailers };
  if (all['content-md5'] === undefined && Object.keys(statedChecksums(all)).length === 0) {
    throw new S3ProtocolError('InvalidRequest', 'Missing required header for this request: Content-MD5');
  }
  checkBody(all, payload.body);
  const document = readXml(payload.body, 'Delete');
  const objects = nodesOf(document.Object);
  const quiet = textOf(document.Quiet) === 'true';
  if (objects.length === 0 || objects.length > 1000 || objects.some((node) => !textOf(node.Key))) {
    throw new S3ProtocolError(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    );
  }
  const deleted: XmlValue[] = [];
  const errors: XmlValue[] = [];
  for (const node of objects) {
    const key = textOf(node.Key) ?? '';
    const versionId = textOf(node.VersionId) || undefined;
    const refuse = (code: string, message: string) =>
      errors.push({ Key: key, VersionId: versionId, Code: code, Message: message });
    const wanted = fault(key, versionId);
    if (wanted !== undefined) {
      refuse(wanted.code, wanted.message);
      continue;
    }
    if (versionId !== undefined && !isVersionId(versionId)) {
      refuse('NoSuchVersion', 'The specified version does not exist.');
      continue;
    }
    try {
      const removal = remove(world, bucket, key, versionId, bypasses(request));
      if (quiet) continue;
      deleted.push({
        Key: key,
        VersionId: versionId,
        DeleteMarker: removal.deleteMarker ? true : undefined,
        DeleteMarkerVersionId: removal.deleteMarker ? removal.versionId : undefined,
      });
    } catch (error) {
      if (!(error instanceof S3ProtocolError)) throw error;
      refuse(error.code, error.message);
    }
  }
  const body = writeXml('DeleteResult', { Deleted: deleted, Error: errors });
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}
