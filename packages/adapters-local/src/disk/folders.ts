import { lstat, mkdir, open, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MedzenError } from '@medzen/core';
import { isMissing } from './object-file.ts';

/** Makes sure that nothing on the way from the root to a folder is a symbolic link. @returns false when it is not there */
export async function isPlainPath(root: string, folders: readonly string[]): Promise<boolean> {
  let path = root;
  for (const folder of folders) {
    path = join(path, folder);
    try {
      const found = await lstat(path);
      if (!found.isDirectory()) {
        throw new MedzenError(
          'store_unavailable',
          'A file or link is in the place of a directory inside the object store; remove it',
          {
            retryable: false,
          },
        );
      }
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
  return true;
}

/** Writes a folder's entries down, so that a new name outlives a power cut. Does nothing where folders cannot be opened. */
export async function syncFolder(path: string): Promise<void> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch {
    return; // Windows opens no folders
  }
  try {
    await handle.sync();
  } catch {
    // some network file systems refuse; the rename is as durable as they make it
  } finally {
    await handle.close();
  }
}

/** Makes the folders of a key, for their owner only, and refuses to go on when a link is among them. */
export async function makeFolders(root: string, folders: readonly string[]): Promise<void> {
  const made = await mkdir(join(root, ...folders), { recursive: true, mode: 0o700 });
  if (made !== undefined) {
    // a new folder is only as durable as its name in the one above
    for (let depth = 0; depth < folders.length; depth++) await syncFolder(join(root, ...folders.slice(0, depth)));
  }
  if (!(await isPlainPath(root, folders))) throw new MedzenError('store_unavailable', 'A folder went away');
}

/** Removes folders that became empty, innermost first. Another put may be making them again: then they stay. */
export async function pruneFolders(root: string, folders: readonly string[]): Promise<void> {
  for (let depth = folders.length; depth > 0; depth--) {
    try {
      await rmdir(join(root, ...folders.slice(0, depth)));
    } catch {
      return; // not empty, or gone already
    }
  }
}

/** One folder of a walk: its place below the root and the names of the files in it. */
export interface WalkedFolder {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/** Walks all folders below one, without following links. */
export async function* walk(root: string, folders: readonly string[]): AsyncGenerator<WalkedFolder, void, void> {
  if (!(await isPlainPath(root, folders))) return;
  const waiting: (readonly string[])[] = [folders];
  for (let here = waiting.pop(); here !== undefined; here = waiting.pop()) {
    const files: string[] = [];
    try {
      for (const entry of await readdir(join(root, ...here), { withFileTypes: true })) {
        if (entry.isDirectory()) waiting.push([...here, entry.name]);
        else if (entry.isFile()) files.push(entry.name);
      }
    } catch (error) {
      if (isMissing(error)) continue; // removed since it was listed
      throw error;
    }
    if (files.length > 0) yield { folders: here, files };
  }
}
