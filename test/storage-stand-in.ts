import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { jwtVerify, SignJWT } from 'jose';

/** How the stand-in is set up. */
export interface StorageOptions {
  /** HS256: tokens of requests and of links are signed with it. */
  readonly jwtSecret: Uint8Array;
  /** Buckets that exist; private and without versioning unless said otherwise. */
  readonly buckets: Readonly<Record<string, StandInBucket>>;
  /** By which links expire. Default: the machine's clock. */
  readonly now?: () => Date;
}

/** A bucket. */
export interface StandInBucket {
  readonly public?: boolean;
  readonly versioning_status?: 'DISABLED' | 'ENABLED' | 'SUSPENDED';
  /** Bytes (file_size_limit). */
  readonly limit?: number;
}

/** A stand-in that runs, and what a test does to it. */
export interface StorageStandIn {
  /** What `createClient` takes: the API is at `/storage/v1` below it. */
  readonly url: string;
  /** Every object by `<bucket>/<name>`, as the disk behind Storage would have it. Tests may change it. */
  readonly objects: Map<string, StoredObject>;
  /** Names that a policy of `storage.objects` forbids to delete. */
  readonly undeletable: Set<string>;
  /** Answers nothing any more. */
  breakDown(): void;
  close(): Promise<void>;
}

/** As stored. */
interface StoredObject {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly cacheControl: string;
  readonly at: Date;
}

interface Refusal {
  readonly statusCode: string;
  readonly error: string;
  readonly message: string;
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly options: StorageOptions;
  readonly objects: StorageStandIn['objects'];
  readonly undeletable: StorageStandIn['undeletable'];
  readonly url: URL;
}

/**
 * A STAND-IN for the Storage API of Supabase, for tests: it is not Storage. Written from its documentation and public source
 * (github.com/supabase/storage), with objects in memory.
 *
 * It speaks: `GET /bucket/:id`; `POST /object/:bucket/:name` (raw bodies, `x-upsert: false`); `POST /object/list-v2/:bucket` (flat, by
 * name, with cursor); `DELETE /object/:bucket`; `POST /object/sign/:bucket/:name` and `GET` of such links with `Range` and `download`;
 * HS256 tokens. As strict as the original: names of the characters it allows, within what S3 takes behind it (project, bucket, name
 * and version in 1024 bytes); at most 1000 names a deletion; most errors an HTTP 400 whose body has the status; of row level security
 * what a project without policies has: `service_role` sees everything, everyone else nothing. Stricter in one thing: a link's
 * signature has one spelling.
 *
 * It does not speak: upserts, multipart forms, resumable and S3 uploads, user metadata, `info`, `list` by folders, other orders, move,
 * copy, public links, downloads without a link, transformations, versions of Storage's own, the CDN, file types that a bucket
 * allows, caching by ETag, ranges of several parts or from the end, policies, rate limits.
 */
export async function startStorage(options: StorageOptions): Promise<StorageStandIn> {
  const objects: StorageStandIn['objects'] = new Map();
  const undeletable = new Set<string>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://stand-in');
    answer({ request, response, options, objects, undeletable, url }).catch(() => response.destroy());
  });
  // Idle connections stay: closed just as a slow test takes one up again, they would fail a request that nobody answered.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    objects,
    undeletable,
    breakDown: stop,
    close: async () => stop(),
  };
}

const refusal = (statusCode: number, error: string, message: string): Refusal => ({
  statusCode: String(statusCode),
  error,
  message,
});
const absent: Refusal = refusal(404, 'not_found', 'Object not found');

function send(response: ServerResponse, body: unknown): void {
  const refused = typeof body === 'object' && body !== null && 'statusCode' in body;
  response.writeHead(refused ? 400 : 200, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

async function answer(call: Call): Promise<void> {
  const { request, response, url } = call;
  const path = url.pathname.replace(/^\/storage\/v1\//, '');
  const [, signed] = /^object\/sign\/(.+)$/.exec(path) ?? [];
  if (request.method === 'GET' && signed !== undefined) return serveLink(call, signed);
  const service = await isService(call);
  if (typeof service !== 'boolean') return send(response, service);
  const [, id = ''] = /^bucket\/([^/]+)$/.exec(path) ?? /^object\/(?:list-v2\/|sign\/)?([^/]+)/.exec(path) ?? [];
  const bucket = call.options.buckets[id];
  if (bucket === undefined || (!service && path.startsWith('bucket/')))
    return send(response, refusal(404, 'Bucket not found', 'Bucket not found'));
  if (request.method === 'GET' && path === `bucket/${id}`)
    return send(response, { id, name: id, public: false, file_size_limit: null, ...bucket });
  if (request.method === 'POST' && path === `object/list-v2/${id}`)
    return send(response, await list(call, id, service));
  if (request.method === 'POST' && signed !== undefined) return send(response, await sign(call, signed, service));
  if (request.method === 'DELETE' && path === `object/${id}`) return send(response, await remove(call, id, service));
  if (request.method === 'POST' && path.startsWith(`object/${id}/`))
    return send(response, await upload(call, bucket, path.slice('object/'.length), service));
  return send(response, refusal(404, 'Not Found', 'Unsupported by the stand-in'));
}

async function isService({ request, options }: Call): Promise<boolean | Refusal> {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  try {
    const { payload } = await jwtVerify(token, options.jwtSecret, { algorithms: ['HS256'] });
    return payload.role === 'service_role';
  } catch {
    return refusal(403, 'Unauthorized', 'Invalid Compact JWS');
  }
}

/** https://github.com/supabase/storage/blob/master/src/storage/limits.ts */
function isValidName(path: string): boolean {
  const name = path.slice(path.indexOf('/') + 1);
  const behind = `${'p'.repeat(20)}/${path}/${'v'.repeat(36)}`; // in S3
  return name !== '' && behind.length <= 1024 && /^(\w|\/|!|-|\.|\*|'|\(|\)| |&|\$|@|=|;|:|\+|,|\?)*$/.test(name);
}

async function upload({ request, objects, options }: Call, bucket: StandInBucket, path: string, service: boolean) {
  const bytes = new Uint8Array(await buffer(request)); // rejects when the client goes away: nothing is stored
  const name = decodeURIComponent(path);
  if (!isValidName(name)) return refusal(400, 'InvalidKey', 'Invalid key');
  if (!service) return refusal(403, 'Unauthorized', 'new row violates row-level security policy');
  if (request.headers['x-upsert'] !== 'false') return refusal(400, 'InvalidRequest', 'Unsupported by the stand-in');
  if (bytes.length > (bucket.limit ?? 50 * 1024 ** 2))
    return refusal(413, 'Payload too large', 'The object exceeded the maximum allowed size');
  if (objects.has(name)) return refusal(409, 'Duplicate', 'The resource already exists');
  objects.set(name, {
    bytes,
    contentType: request.headers['content-type'] ?? 'application/octet-stream',
    cacheControl: request.headers['cache-control'] ?? 'no-cache',
    at: options.now?.() ?? new Date(),
  });
  return { Key: name, Id: '00000000-0000-4000-8000-000000000000' };
}

async function json(request: IncomingMessage): Promise<Record<string, unknown>> {
  return JSON.parse((await buffer(request)).toString('utf8')) as Record<string, unknown>; // storage-js writes objects
}

async function list({ request, objects }: Call, bucket: string, service: boolean) {
  const { prefix = '', limit = 1000, cursor, ...others } = await json(request);
  if (Object.keys(others).length > 0 || typeof limit !== 'number' || limit < 1)
    return refusal(400, 'InvalidRequest', 'Unsupported by the stand-in');
  const after = typeof cursor === 'string' ? Buffer.from(cursor, 'base64').toString('utf8') : 'l:';
  if (!after.startsWith('l:')) return refusal(400, 'InvalidParameter', 'Invalid cursor');
  const names = [...objects.keys()]
    .filter((path) => service && path.startsWith(`${bucket}/${prefix}`))
    .map((path) => path.slice(bucket.length + 1))
    .filter((name) => name > after.slice(2))
    .sort(); // of ASCII: as COLLATE "C" has it
  const page = names.slice(0, Math.min(limit, 1000));
  const hasNext = names.length > page.length;
  const rows = page.map((name) => {
    const stored = objects.get(`${bucket}/${name}`);
    const lastModified = stored?.at.toISOString();
    const size = stored?.bytes.length;
    return {
      id: name,
      name,
      created_at: lastModified,
      metadata: { size, mimetype: stored?.contentType, lastModified },
    };
  });
  const next = hasNext ? { nextCursor: Buffer.from(`l:${page.at(-1)}`).toString('base64') } : {};
  return { hasNext, folders: [], objects: rows, ...next };
}

async function remove({ request, objects, undeletable }: Call, bucket: string, service: boolean) {
  const { prefixes } = await json(request);
  if (!Array.isArray(prefixes) || prefixes.length < 1 || prefixes.length > 1000)
    return refusal(400, 'InvalidRequest', 'At most 1000 objects can be deleted per request');
  return prefixes.flatMap((name: string) =>
    service && !undeletable.has(name) && objects.delete(`${bucket}/${name}`) ? [{ name, bucket_id: bucket }] : [],
  );
}

const seconds = (options: StorageOptions): number => Math.floor((options.now?.() ?? new Date()).getTime() / 1000);

async function sign({ request, objects, options }: Call, path: string, service: boolean) {
  const { expiresIn } = await json(request);
  if (typeof expiresIn !== 'number' || !Number.isInteger(expiresIn) || expiresIn < 1)
    return refusal(400, 'InvalidRequest', 'body/expiresIn must be >= 1');
  if (!service || !objects.has(decodeURIComponent(path))) return absent;
  const iat = seconds(options);
  const token = await new SignJWT({ url: decodeURIComponent(path) })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt(iat)
    .setExpirationTime(iat + expiresIn)
    .sign(options.jwtSecret);
  return { signedURL: `/object/sign/${path}?token=${token}` };
}

async function serveLink({ request, response, objects, options, url }: Call, path: string): Promise<void> {
  const token = url.searchParams.get('token') ?? '';
  try {
    if (!/[AEIMQUYcgkosw048]$/.test(token)) throw new Error('another spelling');
    const currentDate = new Date(seconds(options) * 1000);
    const { payload } = await jwtVerify(token, options.jwtSecret, { algorithms: ['HS256'], currentDate });
    if (payload.url !== decodeURIComponent(path))
      return send(response, refusal(400, 'InvalidSignature', 'The url do not match the signature'));
  } catch {
    return send(response, refusal(400, 'InvalidJWT', '"exp" claim timestamp check failed'));
  }
  const stored = objects.get(decodeURIComponent(path));
  if (stored === undefined) return send(response, absent);
  const { bytes, contentType } = stored;
  const download = url.searchParams.get('download');
  const named = encodeURIComponent(download ?? '');
  const headers: Record<string, string> = {
    'accept-ranges': 'bytes',
    'content-type': contentType,
    ...(download === null
      ? {}
      : { 'content-disposition': `attachment; filename=${named}; filename*=UTF-8''${named};` }),
  };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined) {
    response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes);
    return;
  }
  const first = Number(from);
  if (first >= bytes.length)
    return send(response, refusal(416, 'InvalidRange', 'The requested range is not satisfiable'));
  const last = Math.min(to === '' || to === undefined ? bytes.length - 1 : Number(to), bytes.length - 1);
  const range = { 'content-range': `bytes ${first}-${last}/${bytes.length}`, 'content-length': last - first + 1 };
  response.writeHead(206, { ...headers, ...range }).end(bytes.subarray(first, last + 1));
}
