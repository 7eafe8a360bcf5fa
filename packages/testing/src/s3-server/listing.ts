import { compareKeys, lowerBound } from './key-order.ts';
import { S3ProtocolError } from './protocol-error.ts';
import { encodeRfc3986, hasQuery, queryOf, type S3Request, type S3Response } from './request.ts';
import { bucketOf, type StoredVersion, type World } from './world.ts';
import { writeXml, type XmlValue } from './xml.ts';

const owner: XmlValue = { ID: 'test', DisplayName: 'test' };

/** A whole-number parameter between 0 and 1 000; larger ones are cut, as S3 does. */
export function countOf(request: S3Request, name: string): number {
  const text = queryOf(request, name);
  if (text === undefined || text === '') return 1000;
  if (!/^\d+$/.test(text) || Number(text) > 2_147_483_647) {
    throw new S3ProtocolError('InvalidArgument', `Argument ${name} must be an integer between 0 and 2147483647`);
  }
  return Math.min(Number(text), 1000);
}

/** Keys as the request wants them written: `encoding-type=url` protects what XML 1.0 cannot hold. */
export function keyWriter(request: S3Request): (key: string) => string {
  const encoding = queryOf(request, 'encoding-type');
  if (encoding === undefined || encoding === '') return (key) => key;
  if (encoding !== 'url') throw new S3ProtocolError('InvalidArgument', 'Invalid Encoding Method specified in Request');
  return (key) => key.split('/').map(encodeRfc3986).join('/');
}

/** What stands for a key under a delimiter: itself, or the common prefix that swallows it. */
function groupOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined;
  const end = key.indexOf(delimiter, prefix.length);
  return end === -1 ? undefined : key.slice(0, end + delimiter.length);
}

/** The versions older than a marker. Ids of later versions sort first, so the place of a deleted one is still known. */
function afterVersion(versions: readonly StoredVersion[], marker: string): readonly StoredVersion[] {
  const at = versions.findIndex((version) => version.versionId === marker);
  return at === -1 ? versions.filter((version) => version.versionId > marker) : versions.slice(at + 1);
}

function ok(body: string): S3Response {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

/**
 * `GET ?versions`: versions and delete markers, keys in byte order, newest first.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
 */
export function listVersions(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  const write = keyWriter(request);
  const prefix = queryOf(request, 'prefix') ?? '';
  const delimiter = queryOf(request, 'delimiter') ?? '';
  const keyMarker = queryOf(request, 'key-marker') ?? '';
  const idMarker = queryOf(request, 'version-id-marker');
  const maximum = countOf(request, 'max-keys');
  if (idMarker !== undefined && idMarker !== '' && keyMarker === '') {
    throw new S3ProtocolError('InvalidArgument', 'A version-id marker cannot be specified without a key marker.');
  }
  const rows: StoredVersion[] = [];
  const groups: string[] = [];
  let next: { key: string; versionId: string | undefined } | undefined;
  let last: { key: string; versionId: string | undefined } | undefined;
  const begin = compareKeys(keyMarker, prefix) > 0 ? keyMarker : prefix;
  outer: for (let at = lowerBound(bucket.keys, begin); at < bucket.keys.length; at++) {
    const key = bucket.keys[at] ?? '';
    if (!key.startsWith(prefix)) break;
    const group = groupOf(key, prefix, delimiter);
    if (group !== undefined) {
      if (groups.at(-1) === group || keyMarker.startsWith(group)) continue;
      if (rows.length + groups.length >= maximum) {
        next = last;
        break;
      }
      groups.push(group);
      last = { key: group, versionId: undefined };
      continue;
    }
    if (key === keyMarker && (idMarker === undefined || idMarker === '')) continue;
    const versions = bucket.versions.get(key) ?? [];
    const rest = key === keyMarker && idMarker !== undefined ? afterVersion(versions, idMarker) : versions;
    for (const version of rest) {
      if (rows.length + groups.length >= maximum) {
        next = last;
        break outer;
      }
      rows.push(version);
      last = { key, versionId: version.versionId };
    }
  }
  const entry = (version: StoredVersion): XmlValue => ({
    Key: write(version.key),
    VersionId: version.versionId,
    IsLatest: bucket.versions.get(version.key)?.[0] === version,
    LastModified: version.lastModified.toISOString(),
    ...(version.deleteMarker ? {} : { ETag: version.etag, Size: version.body.length, StorageClass: 'STANDARD' }),
    Owner: owner,
  });
  return ok(
    writeXml('ListVersionsResult', {
      Name: bucket.name,
      Prefix: write(prefix),
      KeyMarker: write(keyMarker),
      VersionIdMarker: idMarker ?? '',
      NextKeyMarker: next === undefined ? undefined : write(next.key),
      NextVersionIdMarker: next?.versionId,
      MaxKeys: maximum,
      Delimiter: delimiter === '' ? undefined : write(delimiter),
      EncodingType: queryOf(request, 'encoding-type') || undefined,
      IsTruncated: next !== undefined,
      Version: rows.filter((version) => !version.deleteMarker).map(entry),
      DeleteMarker: rows.filter((version) => version.deleteMarker).map(entry),
      CommonPrefixes: groups.map((group) => ({ Prefix: write(group) })),
    }),
  );
}

/** `GET ?list-type=2` */
export function listObjects(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  if (queryOf(request, 'list-type') !== '2') {
    throw new S3ProtocolError('NotImplemented', 'Only list-type=2 is implemented by this server');
  }
  const write = keyWriter(request);
  const prefix = queryOf(request, 'prefix') ?? '';
  const delimiter = queryOf(request, 'delimiter') ?? '';
  const startAfter = queryOf(request, 'start-after') ?? '';
  const token = queryOf(request, 'continuation-token');
  const maximum = countOf(request, 'max-keys');
  const after = token === undefined ? startAfter : Buffer.from(token, 'base64url').toString('utf8');
  if (token !== undefined && (token === '' || Buffer.from(after).toString('base64url') !== token)) {
    throw new S3ProtocolError('InvalidArgument', 'The continuation token provided is incorrect');
  }
  const rows: StoredVersion[] = [];
  const groups: string[] = [];
  let last = '';
  let truncated = false;
  for (
    let at = lowerBound(bucket.keys, compareKeys(after, prefix) > 0 ? after : prefix);
    at < bucket.keys.length;
    at++
  ) {
    const key = bucket.keys[at] ?? '';
    if (!key.startsWith(prefix)) break;
    const version = bucket.versions.get(key)?.[0];
    if (version === undefined || version.deleteMarker || (key === after && after !== '')) continue;
    const group = groupOf(key, prefix, delimiter);
    if (group !== undefined && (groups.at(-1) === group || after.startsWith(group))) continue;
    if (rows.length + groups.length >= maximum) {
      truncated = maximum > 0;
      break;
    }
    if (group === undefined) rows.push(version);
    else groups.push(group);
    last = group ?? key;
  }
  return ok(
    writeXml('ListBucketResult', {
      Name: bucket.name,
      Prefix: write(prefix),
      StartAfter: hasQuery(request, 'start-after') ? write(startAfter) : undefined,
      ContinuationToken: token,
      NextContinuationToken: truncated ? Buffer.from(last).toString('base64url') : undefined,
      KeyCount: rows.length + groups.length,
      MaxKeys: maximum,
      Delimiter: delimiter === '' ? undefined : write(delimiter),
      EncodingType: queryOf(request, 'encoding-type') || undefined,
      IsTruncated: truncated,
      Contents: rows.map((version) => ({
        Key: write(version.key),
        LastModified: version.lastModified.toISOString(),
        ETag: version.etag,
        Size: version.body.length,
        StorageClass: 'STANDARD',
      })),
      CommonPrefixes: groups.map((group) => ({ Prefix: write(group) })),
    }),
  );
}
