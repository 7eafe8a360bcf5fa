import { fromHex, MedzenError, type ObjectHead, type ObjectVersion, type ObjectVersionPage } from '@medzen/core';
import { baseOf, keyOf, namesOf, readName, searchOf } from './object-name.ts';
import { readWhole } from './read-object.ts';
import type { Bucket, StorageRow } from './storage-client.ts';
import { told } from './storage-error.ts';

/** A version whose bytes and mark are both there, or of which only the mark was left by a deletion that died. */
interface Found {
  readonly base: string;
  readonly versionId: string;
  readonly mark: string;
  readonly bytes: StorageRow | undefined;
}

/** Where a listing stands between two pages. */
interface Position {
  readonly next?: string;
  /** The base of the last version that was shown: the next one of it is not its latest. */
  readonly shown?: string;
  /** Bytes at the end of a page, whose mark may be the first row of the next one. */
  readonly open?: StorageRow;
}

interface Page {
  /** The first of all names: the newest, if they are of one key. */
  readonly first: string | undefined;
  readonly found: readonly Found[];
  /** Bytes without a mark: uploads that have not ended. */
  readonly unfinished: readonly string[];
  readonly position: Position | undefined;
}

async function readPage(bucket: Bucket, search: string, limit: number, position: Position): Promise<Page> {
  const api = await bucket.api();
  const cursor = position.next === undefined ? {} : { cursor: position.next };
  const page = await told(() => api.listV2({ prefix: search, limit, ...cursor }));
  const found: Found[] = [];
  const unfinished: string[] = [];
  let first = position.open?.name;
  let { open, shown } = position;
  for (const row of page.objects) {
    const name = readName(row.name);
    if (name === undefined) continue;
    first ??= row.name;
    if (name.digest === undefined) {
      if (open !== undefined) unfinished.push(open.name);
      open = row;
      continue;
    }
    const { base, version, digest } = name;
    const isOpen = open?.name === `${base}.${version}`;
    if (open !== undefined && !isOpen) unfinished.push(open.name);
    found.push({ base, versionId: `${version}.${digest}`, mark: row.name, bytes: isOpen ? open : undefined });
    open = undefined;
    shown = base;
  }
  const more = page.hasNext && page.nextCursor !== undefined;
  if (!more && open !== undefined) unfinished.push(open.name);
  const at = { ...(shown === undefined ? {} : { shown }), ...(open === undefined ? {} : { open }) };
  return { first, found, unfinished, position: more ? { next: page.nextCursor, ...at } : undefined };
}

function readCursor(cursor: string): Position {
  try {
    const value: unknown = JSON.parse(decodeURIComponent(cursor));
    if (typeof value === 'object' && value !== null && 'next' in value && typeof value.next === 'string')
      return value as Position; // written by listVersions; Storage refuses a `next` that is none of its own
  } catch (cause) {
    throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this store', { cause });
  }
  throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this store');
}

/** One page of versions; see `ObjectStore.listVersions`. A page may hold fewer than asked for, and another come all the same. */
export async function listVersions(
  bucket: Bucket,
  prefix: string,
  { cursor, limit = 1000 }: { readonly cursor?: string; readonly limit?: number } = {},
): Promise<ObjectVersionPage> {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new MedzenError('invalid_input', 'limit must be an integer from 1 to 1000');
  const begin = cursor === undefined ? {} : readCursor(cursor);
  const { found, position } = await readPage(bucket, searchOf(prefix), limit, begin);
  const keys = await keysOf(bucket, found);
  const versions: ObjectVersion[] = [];
  let shown = begin.shown;
  for (const { base, versionId, bytes } of found) {
    const key = keys.get(base);
    const isLatest = base !== shown;
    shown = base;
    if (key?.startsWith(prefix) === true)
      versions.push({ key, versionId, isDeleteMarker: false, isLatest, size: bytes?.metadata?.size ?? 0 });
  }
  return position === undefined ? { versions } : { versions, cursor: encodeURIComponent(JSON.stringify(position)) };
}

/** The keys of bases. Those that were cut are read from a mark, and must be what the base is the digest of. */
async function keysOf(bucket: Bucket, found: readonly Found[]): Promise<ReadonlyMap<string, string>> {
  const keys = new Map<string, string>();
  for (const { base, mark } of found) {
    if (keys.has(base)) continue;
    const key = keyOf(base) ?? new TextDecoder().decode(await readWhole(bucket, mark));
    if (baseOf(key) !== base)
      throw new MedzenError('store_unavailable', 'A mark in the bucket is damaged', { retryable: false });
    keys.set(base, key);
  }
  return keys;
}

/** Names of uploads under a prefix that have not ended. Of a prefix that was cut, only those whose keys are known to be under it. */
export async function unfinishedUnder(bucket: Bucket, prefix: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (let at: Position | undefined = {}; at !== undefined; ) {
    const page: Page = await readPage(bucket, searchOf(prefix), 1000, at);
    names.push(...page.unfinished);
    at = page.position;
  }
  return names.filter((name) => (keyOf(readName(name)?.base ?? '!') ?? prefix).startsWith(prefix));
}

/** The newest version of a key, and the newest name of one, finished or not. */
export async function newestOf(
  bucket: Bucket,
  key: string,
): Promise<{ readonly version: string | undefined; readonly head: ObjectHead | undefined }> {
  const base = baseOf(key);
  let version: string | undefined;
  for (let at: Position | undefined = {}; at !== undefined; ) {
    const page: Page = await readPage(bucket, `${base}.`, 100, at);
    if (page.first !== undefined) version ??= readName(page.first)?.version;
    for (const { versionId, bytes } of page.found)
      if (bytes !== undefined) return { version, head: headOf(key, versionId, bytes) };
    at = page.position;
  }
  return { version, head: undefined };
}

/** A version, if it is whole: one look at both of its names. */
export async function headOfVersion(bucket: Bucket, key: string, versionId: string): Promise<ObjectHead | undefined> {
  const names = namesOf(key, versionId);
  if (names === undefined) return undefined;
  const { found } = await readPage(bucket, names.bytes, 2, {});
  const [row] = found;
  return row?.mark === names.mark && row.bytes !== undefined ? headOf(key, versionId, row.bytes) : undefined;
}

function headOf(key: string, versionId: string, { metadata }: StorageRow): ObjectHead {
  const { size, mimetype, lastModified } = metadata ?? {};
  if (size === undefined || mimetype === undefined || lastModified === undefined)
    throw new MedzenError('store_unavailable', 'Storage tells too little of an object');
  const sha256 = fromHex(versionId.slice(versionId.indexOf('.') + 1));
  return { key, versionId, size, contentType: mimetype, sha256, lastModified: new Date(lastModified) };
}
