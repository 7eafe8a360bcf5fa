import { encryptionHeaders } from './encryption.ts';
import { lockHeaders } from './object-lock.ts';
import { S3ProtocolError } from './protocol-error.ts';
import { queryOf, type S3Request, type S3Response } from './request.ts';
import { bucketOf, requestedVersion, type StoredVersion, versionHeader, type World } from './world.ts';

const overrides: readonly string[] = [
  'content-type',
  'content-language',
  'expires',
  'cache-control',
  'content-disposition',
  'content-encoding',
];

type Span = { readonly from: number; readonly to: number };

/** A single byte range, `undefined` when S3 would ignore the header and answer the whole object. */
function rangeOf(header: string | undefined, size: number): Span | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const [, first = '', last = ''] = match;
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  if (from >= size || (first === '' && Number(last) === 0)) {
    throw new S3ProtocolError('InvalidRange', 'The requested range is not satisfiable', {
      elements: { RangeRequested: header ?? '', ActualObjectSize: String(size) },
    });
  }
  return { from, to };
}

function bare(etag: string): string {
  return etag.replaceAll('"', '');
}

function listed(header: string, etag: string): boolean {
  return header.split(',').some((one) => one.trim() === '*' || bare(one.trim()) === bare(etag));
}

/** 304 to answer, or undefined; a failed precondition throws. */
function notModified(request: S3Request, version: StoredVersion): boolean {
  const { headers } = request;
  const seconds = Math.floor(version.lastModified.getTime() / 1000);
  const since = (name: string) => Math.floor(new Date(headers[name] ?? '').getTime() / 1000);
  const failed = () =>
    new S3ProtocolError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  if (headers['if-match'] !== undefined) {
    if (!listed(headers['if-match'], version.etag)) throw failed();
  } else if (headers['if-unmodified-since'] !== undefined && seconds > since('if-unmodified-since')) {
    throw failed();
  }
  if (headers['if-none-match'] !== undefined) return listed(headers['if-none-match'], version.etag);
  return headers['if-modified-since'] !== undefined && seconds <= since('if-modified-since');
}

function checksumHeaders(request: S3Request, version: StoredVersion): Record<string, string> {
  if (request.headers['x-amz-checksum-mode']?.toUpperCase() !== 'ENABLED') return {};
  const headers: Record<string, string> = {};
  for (const [algorithm, value] of Object.entries(version.checksums)) headers[`x-amz-checksum-${algorithm}`] = value;
  if (Object.keys(headers).length > 0) headers['x-amz-checksum-type'] = version.checksumType;
  return headers;
}

/** GET and HEAD of an object: conditions, one range, overrides of response headers, encryption, checksums, lock. */
export function readObject(world: World, request: S3Request): S3Response {
  const bucket = bucketOf(world, request);
  const version = requestedVersion(bucket, request);
  const common: Record<string, string> = {
    ...version.headers,
    ...versionHeader(bucket, version),
    etag: version.etag,
    'last-modified': version.lastModified.toUTCString(),
    'accept-ranges': 'bytes',
  };
  if (notModified(request, version)) return { status: 304, headers: common, body: '' };
  for (const name of overrides) {
    const value = queryOf(request, `response-${name}`);
    if (value !== undefined) common[name] = value;
  }
  Object.assign(common, encryptionHeaders(version.encryption), lockHeaders(version));
  const size = version.body.length;
  const range = rangeOf(request.headers.range, size);
  if (range === undefined) {
    return {
      status: 200,
      headers: { ...common, ...checksumHeaders(request, version), 'content-length': String(size) },
      body: version.body,
    };
  }
  return {
    status: 206,
    headers: {
      ...common,
      'content-range': `bytes ${range.from}-${range.to}/${size}`,
      'content-length': String(range.to - range.from + 1),
    },
    body: version.body.subarray(range.from, range.to + 1),
  };
}
