import { constants, link, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MedzenError, type ObjectHead, type PutObjectOptions, sha256Hasher } from '@medzen/core';
import { checkStored, chunksOf } from './check-object.ts';
import { makeFolders, pruneFolders, syncFolder } from './folders.ts';
import { foldersOfKey } from './key-path.ts';
import { describeBytes, type FileDescription, headOf, isMissing, openObject, writeDescription } from './object-file.ts';

/** The places of the versions in a folder, oldest first. */
export function placesIn(files: readonly string[]): readonly number[] {
  return files.flatMap((name) => (/^v\d{16}$/.test(name) ? [Number(name.slice(1))] : [])).sort((a, b) => a - b);
}

/** The name of a version's file. */
export function fileOf(place: number): string {
  return `v${String(place).padStart(16, '0')}`;
}

async function openUpload(root: string, folders: readonly string[], path: string) {
  for (let attempt = 0; ; attempt++) {
    await makeFolders(root, folders);
    try {
      return await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    } catch (error) {
      // a deletion may take the empty folder away between the two calls
      if (!isMissing(error) || attempt === 9) throw error;
    }
  }
}

/**
 * Gives an upload its name among the versions. `link` fails when the name is taken, so two puts cannot have the same
 * place, and whoever was told `refuse` sees what the winner put.
 */
async function commit(folder: string, upload: string, refuse: boolean): Promise<number> {
  for (;;) {
    const last = placesIn(await readdir(folder)).at(-1);
    if (refuse && last !== undefined) {
      const current = await openObject(join(folder, fileOf(last)));
      await current?.handle.close();
      if (current === undefined) continue; // deleted since it was listed
      if (!current.description.deleteMarker) throw new MedzenError('conflict', 'The key has an object already');
    }
    const place = (last ?? 0) + 1;
    try {
      await link(upload, join(folder, fileOf(place)));
      return place;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') throw error; // Node's own errors carry a code
    }
  }
}

/**
 * Stores a version: writes `u…` beside where it will stay, syncs it, and gives it its name in one step. A crash before that
 * leaves an upload that `abortUploads` finds; a crash after it, a version with a second name that `abortUploads` removes.
 */
export async function putFile(
  root: string,
  key: string,
  body: Uint8Array | ReadableStream<Uint8Array>,
  options: PutObjectOptions,
  nonce: string,
  now: () => Date,
): Promise<ObjectHead> {
  const folders = foldersOfKey(key);
  const folder = join(root, ...folders);
  const upload = join(folder, `u${nonce}`);
  let committed = false;
  const handle = await openUpload(root, folders, upload);
  try {
    let description: FileDescription;
    try {
      const hasher = sha256Hasher();
      let size = 0;
      for await (const chunk of chunksOf(body, options.signal)) {
        hasher.update(chunk);
        size += chunk.length;
        await handle.writeFile(chunk);
      }
      const digest = hasher.digest();
      checkStored(options, size, digest);
      description = describeBytes(key, nonce, options.contentType, size, digest, now());
      await handle.writeFile(writeDescription(description));
      await handle.sync();
    } finally {
      await handle.close();
    }
    options.signal?.throwIfAborted();
    const place = await commit(folder, upload, options.ifExists === 'refuse');
    committed = true;
    await unlink(upload).catch(() => undefined); // its second name; abortUploads removes it otherwise
    await syncFolder(folder);
    return headOf(description, place);
  } catch (error) {
    if (!committed) {
      await unlink(upload).catch(() => undefined); // the first failure is the one to tell
      await pruneFolders(root, folders);
    }
    throw error;
  }
}

/** Puts a delete marker on top of a key. */
export async function putMarker(root: string, key: string, nonce: string, at: Date): Promise<number> {
  const folders = foldersOfKey(key);
  const folder = join(root, ...folders);
  const upload = join(folder, `u${nonce}`);
  const handle = await openUpload(root, folders, upload);
  try {
    const description = describeBytes(key, nonce, 'application/octet-stream', 0, new Uint8Array(32), at);
    await handle.writeFile(writeDescription({ ...description, deleteMarker: true }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  const place = await commit(folder, upload, false);
  await unlink(upload);
  await syncFolder(folder);
  return place;
}
