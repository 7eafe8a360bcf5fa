import { link, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MedzenError, sha256, toHex } from '@medzen/core';
import { readTreeHead } from '../checkpoint.ts';
import { type CheckpointMemory, isSameMemory, type RememberedLog } from '../sequencer/checkpoint-memory.ts';
import { writeWhole } from './write-whole.ts';

/**
 * Makes a memory of what was signed, in a folder that any number of processes of one machine may share. Keep it on a disk that no restore of the
 * database touches, and back it up apart: who loses it must hand the sequencer the last known checkpoint as `trusted`.
 *
 * @param folder - made when it is not there; its file system must have hard links
 * @throws MedzenError `invalid_configuration` when it cannot be used
 * @example
 * ```ts
 * import { createSequencer, type Signer } from '@medzen/audit';
 * import { fileCheckpoints } from '@medzen/audit/node';
 * import type { LogStore } from '@medzen/core';
 * const sequencer = async (store: LogStore, signer: Signer) =>
 *   createSequencer({ store, signer, memory: await fileCheckpoints('/var/lib/clinic/checkpoints') });
 * ```
 */
export async function fileCheckpoints(folder: string): Promise<CheckpointMemory> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new MedzenError('invalid_configuration', 'The folder of the checkpoints cannot be used', { cause });
  });
  // An origin may hold what no file name may.
  const nameOf = (origin: string): string => toHex(sha256(new TextEncoder().encode(origin))).slice(0, 32);

  /** The numbers of an origin's files, the latest last: each change is a file of its own, so that two can never both win. */
  const numbers = async (origin: string): Promise<readonly number[]> => {
    const start = `${nameOf(origin)}.`;
    const files = await readdir(folder).catch(unreadable);
    return files
      .flatMap((file) =>
        file.startsWith(start) ? [Number(/^(\d{1,15})\.json$/.exec(file.slice(start.length))?.[1])] : [],
      )
      .filter(Number.isSafeInteger)
      .toSorted((a, b) => a - b);
  };
  const fileOf = (origin: string, number: number): string => join(folder, `${nameOf(origin)}.${number}.json`);

  const latest = async (origin: string): Promise<{ number: number; found: RememberedLog | undefined }> => {
    for (;;) {
      const number = (await numbers(origin)).at(-1) ?? 0;
      if (number === 0) return { number, found: undefined };
      try {
        return { number, found: parse(await readFile(fileOf(origin, number), 'utf8'), origin) };
      } catch (error) {
        if (codeOf(error) === 'ENOENT') continue; // a later one is there by now
        return unreadable(error);
      }
    }
  };

  return {
    read: async (origin) => (await latest(origin)).found,
    replace: async (origin, expected, next) => {
      const { number, found } = await latest(origin);
      if (!isSameMemory(found, expected)) return false;
      try {
        await writeWhole(fileOf(origin, number + 1), `${JSON.stringify({ origin, ...next }, null, 2)}\n`, link);
      } catch (cause) {
        if (codeOf(cause) === 'EEXIST') return false; // link fails where there is one
        throw new MedzenError('store_unavailable', 'The memory of checkpoints cannot be written', { cause });
      }
      const present = await numbers(origin);
      // A slow process may have put its file where a faster one has cleared away: what is not the latest counts for nothing.
      const isLatest = present.at(-1) === number + 1;
      for (const old of present) if (old < (present.at(-1) ?? 0)) await rm(fileOf(origin, old), { force: true });
      return isLatest;
    },
  };
}

/** To take a damaged memory for none would be to sign a second history. */
function parse(text: string, origin: string): RememberedLog {
  const damaged = (cause?: unknown): MedzenError =>
    new MedzenError('store_unavailable', 'The memory of checkpoints is damaged', { cause });
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (cause) {
    throw damaged(cause);
  }
  if (!isRecord(read) || typeof read.checkpoint !== 'string') throw damaged();
  if (readTreeHead(read.checkpoint)?.origin !== origin) throw damaged();
  if (read.successor === undefined) return { checkpoint: read.checkpoint };
  const { successor } = read;
  if (!isRecord(successor) || !isRecord(successor.event)) throw damaged();
  const { id, body } = successor.event;
  const texts = { origin: successor.origin, checkpoint: successor.checkpoint, id, body };
  if (!Object.values(texts).every((value) => typeof value === 'string')) throw damaged();
  return {
    checkpoint: read.checkpoint,
    successor: {
      origin: String(successor.origin),
      checkpoint: String(successor.checkpoint),
      event: { id: String(id), body: String(body) },
    },
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function unreadable(cause: unknown): never {
  if (cause instanceof MedzenError) throw cause;
  throw new MedzenError('store_unavailable', 'The memory of checkpoints cannot be read', { cause });
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
