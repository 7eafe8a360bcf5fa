import { access, link, mkdir, readdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  type Clock,
  isMedzenError,
  MedzenError,
  type ObjectStore,
  type ObjectVersion,
  type Random,
  systemClock,
  systemRandom,
  toHex,
} from '@medzen/core';
import { checkDeletion, checkKey, checkLimit, checkPut, spanOf } from './disk/check-object.ts';
import { isPlainPath, pruneFolders, syncFolder, walk } from './disk/folders.ts';
import { foldersOfKey, foldersOfPrefix, keyOfFolders } from './disk/key-path.ts';
import {
  describeFile,
  headOf,
  isMissing,
  type OpenObject,
  openObject,
  placeOf,
  readPart,
  versionIdOf,
} from './disk/object-file.ts';
import { fileOf, placesIn, putFile, putMarker } from './disk/put-file.ts';
import { type FetchHandler, serveObjects } from './disk/serve-object.ts';
import { createSignedLinks } from './disk/signed-links.ts';
import { compareVersions, pageOf } from './disk/version-page.ts';

/** Where objects lie and who may link to them. */
export interface DiskObjectsOptions {
  /** A folder of the store's own; made when it is not there. Hard links must work in it. */
  readonly dir: string;
  /** Tells this store's `location` from another's, also when the folder is moved. Default: the folder's whole path. */
  readonly bucket?: string;
  /** Signs links: whoever knows it can read everything. 32 random bytes, or text as hard to guess. */
  readonly secret: string | Uint8Array;
  /** Default: the machine's. */
  readonly clock?: Clock;
  readonly random?: Random;
  /** Where the handler is mounted, as clients reach it. Default `http://localhost/objects`. */
  readonly baseUrl?: string;
}

/** An object store in a folder, and the handler that serves its links. */
export interface DiskObjects extends ObjectStore {
  /** Serves its links. */
  readonly fetch: FetchHandler;
  /** Hides a key behind a delete marker, as S3's console does. @returns the marker's version id */
  addDeleteMarker(key: string): Promise<string>;
}

interface Row {
  readonly key: string;
  /** Orders versions of a key; not the id that callers see. */
  readonly versionId: string;
  readonly folder: string;
  readonly place: number;
  readonly last: number;
}

/**
 * Keeps objects in a folder, with versions, delete markers, byte ranges and expiring links: for laptops, demos and single
 * machines. Several processes may share the folder. A version is durable once `put` answers (file and folder are synced),
 * and appears in one step; a process killed at any moment leaves whole versions and uploads that `abortUploads` removes.
 * Keys become names that no file system misreads, and symbolic links are not followed. Nothing is encrypted: use an
 * encrypted disk. Node, Deno and Bun only.
 *
 * @param options - folder, secret of links, clock
 * @returns the store
 * @throws MedzenError `invalid_configuration`
 * @example
 * ```ts
 * import { diskObjects } from '@medzen/adapters-local/disk';
 * const objects = diskObjects({ dir: './media', secret: 'at least 32 random characters, please' });
 * const { versionId } = await objects.put('default/a', new Uint8Array([1]), { contentType: 'video/webm' });
 * const { url } = await objects.presignGet('default/a', { versionId, expiresInSeconds: 3600 });
 * (await objects.fetch(new Request(url))).status; // 200
 * ```
 */
export function diskObjects(options: DiskObjectsOptions): DiskObjects {
  const { clock = systemClock, random = systemRandom, baseUrl = 'http://localhost/objects' } = options;
  if (options.dir === '') throw new MedzenError('invalid_configuration', 'The folder for objects has no name');
  const root = resolve(options.dir);
  const links = createSignedLinks({ secret: options.secret, clock, baseUrl });
  const nonce = (): string => toHex(random.bytes(8));
  const sign = join(root, 'medzen-objects');
  let begun = false;

  /**
   * Turns errors of the file system into the port's; what is ours, or the source's own, passes. A disk that is no longer
   * there must not look like an empty one, or a sweep would take everything for deleted: the store's own file tells.
   */
  async function guarded<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    try {
      if (begun) await access(sign);
      else {
        await mkdir(root, { recursive: true, mode: 0o700 });
        await writeFile(sign, '', { flag: 'a' });
        begun = true;
      }
      return await work();
    } catch (error) {
      const system = error instanceof Error && 'syscall' in error;
      if (isMedzenError(error) || !system) throw error;
      throw new MedzenError('store_unavailable', 'The object store on disk failed', { cause: error });
    }
  }

  /** Opens a version, or the current one; undefined for none and for delete markers. */
  async function find(key: string, versionId?: string): Promise<(OpenObject & { place: number }) | undefined> {
    checkKey(key);
    const folders = foldersOfKey(key);
    if (!(await isPlainPath(root, folders))) return undefined;
    const folder = join(root, ...folders);
    const place = versionId === undefined ? placesIn(await filesIn(folder)).at(-1) : placeOf(versionId);
    if (place === undefined) return undefined;
    const found = await openObject(join(folder, fileOf(place)));
    if (found === undefined) return undefined;
    const other = versionId !== undefined && versionIdOf(place, found.description.nonce) !== versionId;
    if (other || found.description.deleteMarker) {
      await found.handle.close();
      return undefined;
    }
    return { ...found, place };
  }

  async function filesIn(folder: string): Promise<readonly string[]> {
    try {
      return await readdir(folder);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async function describeRow(row: Row): Promise<ObjectVersion[]> {
    const found = await describeFile(join(row.folder, fileOf(row.place)));
    if (found === undefined) return []; // deleted since it was listed
    return [
      {
        key: row.key,
        versionId: versionIdOf(row.place, found.nonce),
        isDeleteMarker: found.deleteMarker,
        isLatest: row.place === row.last,
        size: found.size,
      },
    ];
  }

  async function remove(key: string, versionId: string): Promise<void> {
    const place = placeOf(versionId);
    const folders = foldersOfKey(key);
    if (place === undefined || !(await isPlainPath(root, folders))) return;
    const folder = join(root, ...folders);
    const path = join(folder, fileOf(place));
    const isMeant = async (at: string): Promise<boolean | undefined> => {
      const found = await describeFile(at);
      return found && versionIdOf(place, found.nonce) === versionId;
    };
    if (!(await isMeant(path))) return;
    // Out of sight first, then looked at again: another sweep may have removed the version since, and a put have taken its
    // place. A crash here leaves an upload, which `abortUploads` removes.
    const aside = join(folder, `u${nonce()}`);
    try {
      await rename(path, aside);
    } catch (error) {
      if (isMissing(error)) return; // another sweep was quicker
      throw error;
    }
    if (!(await isMeant(aside))) await link(aside, path);
    await unlink(aside);
    await syncFolder(folder);
    await pruneFolders(root, folders);
  }

  const store: ObjectStore = {
    location: { store: 'disk', bucket: options.bucket ?? root },
    put: (key, body, put) =>
      guarded(async () => {
        checkPut(key, put);
        return putFile(root, key, body, put, nonce(), () => clock.now());
      }),
    head: (key, versionId, { signal } = {}) =>
      guarded(async () => {
        const found = await find(key, versionId);
        await found?.handle.close();
        return found && headOf(found.description, found.place);
      }, signal),
    get: (key, { versionId, range, signal } = {}) =>
      guarded(async () => {
        const found = await find(key, versionId);
        if (found === undefined) return undefined;
        await found.handle.close();
        const { description, place } = found;
        const { first, last } = spanOf(range, description.size);
        const path = join(root, ...foldersOfKey(key), fileOf(place));
        return { head: headOf(description, place), body: readPart(path, description.nonce, first, last) };
      }, signal),
    listVersions: (prefix, { cursor, limit = 1000, signal } = {}) =>
      guarded(async () => {
        checkLimit(limit);
        const rows: Row[] = [];
        for await (const { folders, files } of walk(root, foldersOfPrefix(prefix))) {
          const key = keyOfFolders(folders);
          signal?.throwIfAborted();
          if (key === undefined || !key.startsWith(prefix)) continue;
          const places = placesIn(files);
          const last = places.at(-1) ?? 0;
          const folder = join(root, ...folders);
          for (const place of places) rows.push({ key, versionId: fileOf(place), folder, place, last });
        }
        const page = pageOf(rows.sort(compareVersions), cursor, limit);
        const versions: ObjectVersion[] = [];
        for (const row of page.rows) versions.push(...(await describeRow(row)));
        return { versions, ...page.next };
      }, signal),
    deleteVersions: (versions, { signal } = {}) =>
      guarded(async () => {
        checkDeletion(versions);
        const deleted: { key: string; versionId: string }[] = [];
        const errors: { key: string; versionId: string; reason: 'locked' | 'transient'; code: string }[] = [];
        for (const { key, versionId } of versions) {
          signal?.throwIfAborted();
          try {
            await remove(key, versionId);
            deleted.push({ key, versionId });
          } catch (error) {
            const code = String((error as { code?: unknown }).code ?? 'EIO'); // Node's own errors carry a code
            const reason = code === 'EACCES' || code === 'EPERM' || code === 'EROFS' ? 'locked' : 'transient';
            errors.push({ key, versionId, reason, code });
          }
        }
        return { deleted, errors };
      }, signal),
    abortUploads: (prefix, { signal } = {}) =>
      guarded(async () => {
        let count = 0;
        for await (const { folders, files } of walk(root, foldersOfPrefix(prefix))) {
          const key = keyOfFolders(folders);
          if (key === undefined || !key.startsWith(prefix)) continue;
          for (const name of files) {
            if (!/^u[0-9a-f]{16}$/.test(name)) continue;
            await unlink(join(root, ...folders, name));
            count += 1;
          }
          await pruneFolders(root, folders);
        }
        return count;
      }, signal),
    presignGet: async (key, link) => links.sign(key, link),
  };
  return {
    ...store,
    fetch: serveObjects(store, links),
    addDeleteMarker: (key) =>
      guarded(async () => {
        checkKey(key);
        const own = nonce();
        return versionIdOf(await putMarker(root, key, own, clock.now()), own);
      }),
  };
}
