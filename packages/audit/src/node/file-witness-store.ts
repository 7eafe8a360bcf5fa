import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isMedzenError, MedzenError, sha256, toHex } from '@medzen/core';
import { readTreeHead } from '../checkpoint.ts';
import type { WitnessStore } from '../witness-store.ts';
import { type FolderLock, lockFolder } from './lock-folder.ts';
import { writeWhole } from './write-whole.ts';

/** A witness's memory in a folder: one file a log, the last checkpoint it cosigned. */
export interface FileWitnessStore extends WitnessStore {
  /** Gives the folder back. */
  close(): Promise<void>;
}

/**
 * Makes the memory of a witness in a folder. It is all that the witness's promise rests on: keep it on a disk that is not restored from copies.
 *
 * @param folder - of this process's own; made when it is not there
 * @throws MedzenError `invalid_configuration` when another process has it, or it cannot be used
 * @example
 * ```ts
 * import { createCosigner, createWitness } from '@medzen/audit';
 * import { fileWitnessStore } from '@medzen/audit/node';
 * async function witness(privateKey: Uint8Array, verifierKey: string) {
 *   const cosigner = createCosigner({ name: 'compliance.example/w1', privateKey });
 *   const logs = [{ origin: 'clinic.example/audit', verifierKeys: [verifierKey] }];
 *   return createWitness({ cosigner, logs, store: await fileWitnessStore('/var/lib/witness') });
 * }
 * ```
 */
export async function fileWitnessStore(folder: string): Promise<FileWitnessStore> {
  let lock: FolderLock;
  try {
    await mkdir(folder, { recursive: true });
    lock = await lockFolder(folder);
  } catch (cause) {
    if (isMedzenError(cause)) throw cause;
    throw new MedzenError('invalid_configuration', 'The folder of the witness cannot be used', { cause });
  }
  // An origin may hold what no file name may.
  const fileOf = (origin: string): string =>
    join(folder, `${toHex(sha256(new TextEncoder().encode(origin)))}.checkpoint`);

  const read: WitnessStore['read'] = async (origin) => {
    let checkpoint: string;
    try {
      checkpoint = await readFile(fileOf(origin), 'utf8');
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
      throw new MedzenError('store_unavailable', 'The memory of the witness cannot be read', { cause });
    }
    const head = readTreeHead(checkpoint);
    // To take a damaged memory for none would be to cosign a second history.
    if (head === undefined || head.origin !== origin)
      throw new MedzenError('store_unavailable', 'The memory of the witness is damaged');
    return { size: head.size, root: head.root, checkpoint };
  };

  const own = async (): Promise<void> => {
    if (!(await lock.held())) throw new MedzenError('store_unavailable', 'Another process has taken this memory over');
  };

  let last: Promise<unknown> = Promise.resolve();
  return {
    read,
    replace: (origin, expectedSize, { checkpoint }) => {
      const next = last.then(async () => {
        if (((await read(origin))?.size ?? 0) !== expectedSize) return false;
        await own();
        await writeWhole(fileOf(origin), checkpoint, rename).catch((cause: unknown) => {
          throw new MedzenError('store_unavailable', 'The memory of the witness cannot be written', { cause });
        });
        await own(); // before anybody signs what was remembered
        return true;
      });
      last = next.catch(() => {}); // told to its own caller
      return next;
    },
    close: async () => {
      await last;
      await lock.release();
    },
  };
}
