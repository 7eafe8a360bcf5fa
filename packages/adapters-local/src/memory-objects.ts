import {
  type Clock,
  MedzenError,
  type ObjectHead,
  type ObjectLock,
  type ObjectStore,
  type Random,
  sha256,
  systemClock,
  systemRandom,
  toHex,
} from '@medzen/core';
import { checkDeletion, checkKey, checkLimit, checkPut, checkStored, chunksOf, spanOf } from './disk/check-object.ts';
import { type FetchHandler, serveObjects } from './disk/serve-object.ts';
import { createSignedLinks } from './disk/signed-links.ts';
import { compareVersions, pageOf } from './disk/version-page.ts';

/** How a memory store is set up. Everything has a default. */
export interface MemoryObjectsOptions {
  /** Tells this store's `location` from another's. Default `memory`. */
  readonly bucket?: string;
  /** Signs links. Default: random, so that links end with the process. */
  readonly secret?: string | Uint8Array;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Where the handler is mounted. Default `http://localhost/objects`. */
  readonly baseUrl?: string;
}

/** An object store in memory, with what a test wants to do to it. */
export interface MemoryObjects extends ObjectStore {
  /** Serves its links. */
  readonly fetch: FetchHandler;
  /** Hides a key behind a delete marker, as S3's console does. @returns the marker's version id */
  addDeleteMarker(key: string): string;
  /** Locks a version as Object Lock would, or frees it. `true` is a legal hold; a lock with a date ends at it, by the store's clock. */
  setLocked(version: { readonly key: string; readonly versionId: string }, locked: boolean | ObjectLock): void;
  /** While down, every call throws `store_unavailable`. */
  setDown(down: boolean): void;
}

interface Row {
  readonly key: string;
  readonly versionId: string;
  /** Absent for a delete marker. */
  readonly stored: { readonly head: ObjectHead; readonly bytes: Uint8Array } | undefined;
  lock: ObjectLock | undefined;
}

/**
 * Keeps objects in memory: for tests and demos.
 *
 * @example
 * ```ts
 * import { memoryObjects } from '@medzen/adapters-local';
 * const objects = memoryObjects();
 * const { versionId } = await objects.put('default/a', new Uint8Array([1]), { contentType: 'video/webm' });
 * const { url } = await objects.presignGet('default/a', { versionId, expiresInSeconds: 60 });
 * (await objects.fetch(new Request(url))).status; // 200
 * ```
 */
export function memoryObjects(options: MemoryObjectsOptions = {}): MemoryObjects {
  const { clock = systemClock, random = systemRandom } = options;
  const links = createSignedLinks({
    secret: options.secret ?? random.bytes(32),
    clock,
    baseUrl: options.baseUrl ?? 'http://localhost/objects',
  });
  const rows = new Map<string, Row[]>();
  let sequence = 0;
  let down = false;

  function up(): void {
    if (down) throw new MedzenError('store_unavailable', 'The object store is down');
  }

  function add(key: string, stored: (versionId: string) => Row['stored']): Row {
    sequence += 1;
    const versionId = `${String(sequence).padStart(8, '0')}-${toHex(random.bytes(8))}`;
    const row: Row = { key, versionId, stored: stored(versionId), lock: undefined };
    rows.set(key, [...(rows.get(key) ?? []), row]);
    return row;
  }

  function find(key: string, versionId: string | undefined): NonNullable<Row['stored']> | undefined {
    const list = rows.get(key) ?? [];
    const row = versionId === undefined ? list.at(-1) : list.find((one) => one.versionId === versionId);
    if (row?.stored === undefined || row.lock === undefined) return row?.stored;
    return { ...row.stored, head: { ...row.stored.head, lock: row.lock } };
  }

  function isLocked({ lock }: Row): boolean {
    return lock?.legalHold === true || (lock?.retainUntil !== undefined && lock.retainUntil > clock.now());
  }

  const store: ObjectStore = {
    location: { store: 'memory', bucket: options.bucket ?? 'memory' },
    put: async (key, body, put) => {
      checkPut(key, put);
      up();
      const parts: Uint8Array[] = [];
      for await (const chunk of chunksOf(body, put.signal)) parts.push(chunk);
      const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
      let offset = 0;
      for (const part of parts) {
        bytes.set(part, offset);
        offset += part.length;
      }
      const digest = sha256(bytes);
      checkStored(put, bytes.length, digest);
      put.signal?.throwIfAborted();
      up();
      // no await between the look and the write: one of many wins
      if (put.ifExists === 'refuse' && find(key, undefined) !== undefined) {
        throw new MedzenError('conflict', 'The key has an object already');
      }
      const head = (versionId: string): ObjectHead => ({
        key,
        versionId,
        size: bytes.length,
        contentType: put.contentType,
        sha256: digest,
        lastModified: clock.now(),
      });
      const { stored } = add(key, (versionId) => ({ head: head(versionId), bytes }));
      if (stored === undefined) throw new MedzenError('internal', 'A version was stored without bytes');
      return stored.head;
    },
    head: async (key, versionId, { signal } = {}) => {
      signal?.throwIfAborted();
      up();
      return find(key, versionId)?.head;
    },
    get: async (key, { versionId, range, signal } = {}) => {
      signal?.throwIfAborted();
      up();
      const stored = find(key, versionId);
      if (stored === undefined) return undefined;
      const { first, last } = spanOf(range, stored.bytes.length);
      const part = stored.bytes.slice(first, last + 1);
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          if (part.length > 0) controller.enqueue(part);
          controller.close();
        },
      });
      return { head: stored.head, body };
    },
    listVersions: async (prefix, { cursor, limit = 1000, signal } = {}) => {
      signal?.throwIfAborted();
      checkLimit(limit);
      up();
      const all = [...rows.values()]
        .flat()
        .filter((row) => row.key.startsWith(prefix))
        .sort(compareVersions);
      const page = pageOf(all, cursor, limit);
      const versions = page.rows.map((row) => ({
        key: row.key,
        versionId: row.versionId,
        isDeleteMarker: row.stored === undefined,
        isLatest: rows.get(row.key)?.at(-1) === row,
        size: row.stored?.bytes.length ?? 0,
      }));
      return { versions, ...page.next };
    },
    deleteVersions: async (versions, { signal } = {}) => {
      signal?.throwIfAborted();
      checkDeletion(versions);
      up();
      const deleted: { key: string; versionId: string }[] = [];
      const errors: { key: string; versionId: string; reason: 'locked'; code: string }[] = [];
      for (const { key, versionId } of versions) {
        const list = rows.get(key) ?? [];
        const row = list.find((one) => one.versionId === versionId);
        if (row !== undefined && isLocked(row)) {
          errors.push({ key, versionId, reason: 'locked', code: 'AccessDenied' });
          continue;
        }
        const rest = list.filter((one) => one.versionId !== versionId);
        if (rest.length === 0) rows.delete(key);
        else rows.set(key, rest);
        deleted.push({ key, versionId });
      }
      return { deleted, errors };
    },
    abortUploads: async (_, { signal } = {}) => {
      signal?.throwIfAborted();
      up();
      return 0; // a put that has not ended is only a variable
    },
    presignGet: async (key, link) => links.sign(key, link),
  };
  return {
    ...store,
    fetch: serveObjects(store, links),
    addDeleteMarker: (key) => {
      checkKey(key);
      return add(key, () => undefined).versionId;
    },
    setLocked: ({ key, versionId }, locked) => {
      const row = rows.get(key)?.find((candidate) => candidate.versionId === versionId);
      if (row === undefined) throw new MedzenError('not_found', 'No such version');
      row.lock = typeof locked === 'object' ? locked : locked ? { legalHold: true } : undefined;
    },
    setDown: (value) => {
      down = value;
    },
  };
}
