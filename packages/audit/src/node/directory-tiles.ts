import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { equalBytes, MedzenError } from '@medzen/core';
import type { TileTarget } from '../tile-storage.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * A log's static files in a folder, which any web server can serve as it is.
 *
 * @param root - made when it is not there
 * @example
 * ```ts
 * import { publishLog } from '@medzen/audit';
 * import { directoryTiles } from '@medzen/audit/node';
 * import type { LogStore } from '@medzen/core';
 * const publish = (store: LogStore) => publishLog({ store, target: directoryTiles('/var/lib/audit-log') });
 * ```
 */
export function directoryTiles(root: string): TileTarget {
  const home = resolve(root);
  const fileOf = (path: string): string => {
    const file = join(home, path);
    if (!file.startsWith(home + sep)) throw new MedzenError('invalid_input', 'A path leads out of the folder');
    return file;
  };
  const read: TileTarget['read'] = async (path) => {
    try {
      return new Uint8Array(await readFile(fileOf(path)));
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
      throw new MedzenError('store_unavailable', 'A file of the log could not be read', { cause: error });
    }
  };
  return {
    read,
    write: async (path, bytes, { immutable }) => {
      const file = fileOf(path);
      const making = join(dirname(file), `.${randomUUID()}`);
      try {
        await mkdir(dirname(file), { recursive: true });
        await writeSynced(making, bytes);
        if (!immutable) await rename(making, file);
        else {
          await link(making, file).finally(() => unlink(making)); // fails where there is one, which rename would replace
        }
        await syncFolder(dirname(file));
      } catch (error) {
        if (codeOf(error) !== 'EEXIST')
          throw new MedzenError('store_unavailable', 'A file of the log could not be written', { cause: error });
        const present = await read(path);
        if (present === undefined || !equalBytes(present, bytes))
          throw new MedzenError('checkpoint_inconsistent', 'A file of the log is there with other bytes', {
            cause: error,
          });
      }
    },
  };
}

async function writeSynced(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
