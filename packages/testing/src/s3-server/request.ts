import type { IncomingMessage } from 'node:http';
import { S3ProtocolError } from './protocol-error.ts';

/** A request as it came, before its signature and body were looked at. */
export interface S3Request {
  readonly method: string;
  /** The path as S3 signs it: decoded, and each segment encoded again by RFC 3986. */
  readonly canonicalPath: string;
  /** Decoded query parameters in order of arrival. */
  readonly query: readonly (readonly [string, string])[];
  /** Lower-case names; values as UTF-8. */
  readonly headers: Readonly<Record<string, string>>;
  /** Empty for requests to the service itself. */
  readonly bucket: string;
  /** Empty for requests to a bucket. */
  readonly key: string;
}

/** What every handler answers. */
export interface S3Response {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** The first value of a query parameter, or undefined when it is absent. Names are case-sensitive. */
export function queryOf(request: Pick<S3Request, 'query'>, name: string): string | undefined {
  return request.query.find(([key]) => key === name)?.[1];
}

/** Whether the query has the parameter, with or without a value. */
export function hasQuery(request: Pick<S3Request, 'query'>, name: string): boolean {
  return request.query.some(([key]) => key === name);
}

/** RFC 3986 percent-encoding as SigV4 wants it: only unreserved characters stay. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3ProtocolError('InvalidURI', "Couldn't parse the specified URI.");
  }
}

const hostStyles: readonly RegExp[] = [
  /^(?<bucket>.+)\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com$/,
  /^(?<bucket>.+)\.localhost$/,
  /^(?<bucket>.+)\.s3\.test$/,
];

/** The bucket named by a virtual-hosted `Host`, or undefined for path style. */
function bucketOfHost(host: string): string | undefined {
  const name = host.replace(/:\d+$/, '');
  for (const style of hostStyles) {
    const bucket = style.exec(name)?.groups?.bucket;
    if (bucket !== undefined) return bucket;
  }
  return undefined;
}

/** Reads method, path, query and headers. Path style, and virtual-hosted style for AWS names and `*.localhost`. */
export function readRequest(message: IncomingMessage): S3Request {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(message.headers)) {
    if (value === undefined) continue;
    // Node hands header bytes over as Latin-1; signers sign UTF-8
    headers[name] = Buffer.from(Array.isArray(value) ? value.join(',') : value, 'latin1').toString('utf8');
  }
  const target = message.url ?? '/';
  const mark = target.indexOf('?');
  const rawPath = mark === -1 ? target : target.slice(0, mark);
  const rawQuery = mark === -1 ? '' : target.slice(mark + 1);
  const path = decode(rawPath);
  const query = rawQuery
    .split('&')
    .filter((part) => part !== '')
    .map((part): readonly [string, string] => {
      const equals = part.indexOf('=');
      const plain = (text: string) => decode(text.replaceAll('+', ' '));
      return equals === -1 ? [plain(part), ''] : [plain(part.slice(0, equals)), plain(part.slice(equals + 1))];
    });
  const hosted = bucketOfHost(headers.host ?? '');
  const rest = path.slice(1);
  const slash = rest.indexOf('/');
  const bucket = hosted ?? (slash === -1 ? rest : rest.slice(0, slash));
  const key = hosted === undefined ? (slash === -1 ? '' : rest.slice(slash + 1)) : rest;
  return {
    method: message.method ?? 'GET',
    canonicalPath: path.split('/').map(encodeRfc3986).join('/'),
    query,
    headers,
    bucket,
    key,
  };
}
