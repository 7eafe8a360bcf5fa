import {
  equalBytes,
  isMedzenError,
  MedzenError,
  type ObjectDeadlines,
  type ObjectStore,
  withObjectDeadlines,
} from '@medzen/core';
import type { TileTarget } from './tile-storage.ts';

/**
 * A log's files in an object store: `createS3Objects(…)`, a disk, Supabase Storage. With Object Lock on the bucket not even its owner can change them.
 *
 * @param store - of the host
 * @param prefix - of the log, with its slash: `audit-log/`
 * @param deadlines - of its calls
 * @example
 * ```ts
 * import { objectTiles } from '@medzen/audit';
 * import type { ObjectStore } from '@medzen/core';
 * const checkpointOf = (objects: ObjectStore) => objectTiles(objects, 'audit-log/').read('checkpoint');
 * ```
 */
export function objectTiles(store: ObjectStore, prefix: string, deadlines: ObjectDeadlines = {}): TileTarget {
  const objects = withObjectDeadlines(store, deadlines);
  const read: TileTarget['read'] = async (path) => {
    const found = await objects.get(prefix + path);
    return found === undefined ? undefined : new Uint8Array(await new Response(found.body).arrayBuffer());
  };
  return {
    read,
    write: async (path, bytes, { contentType, immutable }) => {
      const ifExists = immutable ? 'refuse' : 'add-version';
      try {
        await objects.put(prefix + path, bytes, { contentType, contentLength: bytes.length, ifExists });
      } catch (error) {
        if (!immutable || !isMedzenError(error) || error.code !== 'conflict') throw error;
        const present = await read(path);
        if (present === undefined || !equalBytes(present, bytes))
          throw new MedzenError('checkpoint_inconsistent', 'A file of the log is there with other bytes', {
            cause: error,
          });
      }
    },
  };
}
