import { S3ProtocolError } from './protocol-error.ts';
import type { S3Request, S3Response } from './request.ts';
import { bucketOf, requestedVersion, versionHeader, type World } from './world.ts';
import { nodeOf, nodesOf, readXml, textOf, writeXml } from './xml.ts';

/** `PUT ?tagging` on a version: up to ten tags, which replace those before. */
export function putTagging(world: World, request: S3Request, body: Uint8Array): S3Response {
  const bucket = bucketOf(world, request);
  const version = requestedVersion(bucket, request);
  const tags = new Map<string, string>();
  for (const node of nodesOf(nodeOf(readXml(body, 'Tagging').TagSet).Tag)) {
    const key = textOf(node.Key) ?? '';
    const value = textOf(node.Value) ?? '';
    if (
      key === '' ||
      key.length > 128 ||
      value.length > 256 ||
      tags.has(key) ||
      !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(value)
    ) {
      throw new S3ProtocolError('InvalidTag', 'The tag provided was not a valid tag.');
    }
    tags.set(key, value);
  }
  if (tags.size > 10) throw new S3ProtocolError('BadRequest', 'Object tags cannot be greater than 10');
  version.tags = tags;
  return { status: 200, headers: versionHeader(bucket, version), body: '' };
}

/** `GET ?tagging` */
export function getTagging(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  const version = requestedVersion(bucket, request);
  const Tag = [...(version.tags ?? [])].map(([Key, Value]) => ({ Key, Value }));
  return {
    status: 200,
    headers: { 'content-type': 'application/xml', ...versionHeader(bucket, version) },
    body: writeXml('Tagging', { TagSet: { Tag } }),
  };
}
