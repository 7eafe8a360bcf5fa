import { link, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { equalBytes, MedzenError } from '@medzen/core';
import type { TileTarget } from '../tile-storage.ts';
import { writeWhole } from './write-whole.ts';

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
    const file = fileOf(path);
    try {
      return new Uint8Array(await readFile(file));
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
      throw new MedzenError('store_unavailable', 'A file of the log could not be read', { cause: error });
    }
  };
  return {
    read,
    write: async (path, bytes, { immutable }) => {
      const file = fileOf(path);
      try {
        await mkdir(dirname(file), { recursive: true });
        await writeWhole(file, bytes, immutable ? link : rename); // link fails where there is one, which rename would replace
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

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
