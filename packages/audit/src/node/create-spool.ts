import { appendFile, mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AuditStore,
  checkedDeadline,
  errorFields,
  isMedzenError,
  type Logger,
  MedzenError,
  type Scope,
  type SealedEvent,
  stderrLogger,
  withDeadline,
} from '@medzen/core';
import { sleepUntil } from '../sleep-until.ts';
import type { Drained, Spool } from '../spool.ts';
import { type FolderLock, lockFolder } from './lock-folder.ts';
import { openSpoolFile, type SpoolFile } from './spool-file.ts';
import { formatSpoolLine, parseSpoolLine, type SpooledEvent } from './spool-line.ts';
import { syncFolder } from './sync-folder.ts';

/** Where and how much. */
export interface CreateSpoolOptions {
  /** A folder on a disk that outlives the process, of this process's own; made when it is not there. */
  readonly folder: string;
  /** Bytes that may wait; past them `keep` refuses. 1 GiB when absent. */
  readonly maxBytes?: number;
  /** Milliseconds that the store may take for one batch of a drain, 1–2 147 483 647; 10 000 when absent. */
  readonly deadlineMs?: number;
  readonly logger?: Logger;
  /** Waits between drains of `run`; ends early, without an error, when the signal is aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A spool in a folder. */
export interface FolderSpool extends Spool {
  /** Drains whenever something waits, until the signal. @param options - `intervalMs` ≥ 1 */
  run(store: AuditStore, options: { readonly intervalMs: number; readonly signal: AbortSignal }): Promise<void>;
  /** Gives the folder back. What waits stays, for the next process. */
  close(): Promise<void>;
}

/** A line that the store will never take, and the reason. */
interface Refused {
  readonly line: string;
  readonly why: string;
}

/** A new file is begun past this many bytes, so that what was handed over can go. */
const fileBytes = 8 * 1024 * 1024;
const batchEvents = 500;
const aside = 'rejected.spool';

/**
 * Makes a spool: each event is flushed to the disk (fsync) before it counts as kept, and what a killed process had kept, the next one finds.
 * Where the killed one was in another container it takes ten seconds until that is certain. A process that was taken for dead, and was not, keeps and drains
 * nothing more: `keep` and `drain` throw `store_unavailable`.
 *
 * @throws MedzenError `invalid_configuration` when another process has the folder, in this container or another, or it cannot be used
 * @example
 * ```ts
 * import { createAuditLog } from '@medzen/audit';
 * import { createSpool } from '@medzen/audit/node';
 * import type { AuditStore } from '@medzen/core';
 * async function start(store: AuditStore, signal: AbortSignal) {
 *   const spool = await createSpool({ folder: '/var/lib/clinic/audit-spool' });
 *   void spool.run(store, { intervalMs: 5000, signal });
 *   return createAuditLog({ store, spool });
 * }
 * ```
 */
export async function createSpool(options: CreateSpoolOptions): Promise<FolderSpool> {
  const { folder, maxBytes = 1024 ** 3, logger = stderrLogger, sleep = sleepUntil } = options;
  const limit = { ms: checkedDeadline('deadlineMs', options.deadlineMs), what: 'The audit store' };
  const at = (name: string): string => join(folder, name);
  let lock: FolderLock;
  let file: SpoolFile;
  let sequence = 0;
  // Each owner of the folder has names of its own: whoever was taken for dead, and was not, writes to no file of ours.
  const next = (): string =>
    `${String(lock.generation).padStart(8, '0')}-${String(sequence + 1).padStart(12, '0')}.spool`;
  const begin = async (): Promise<SpoolFile> => {
    const begun = await openSpoolFile(at(next()));
    try {
      await syncFolder(folder);
    } catch (error) {
      await begun.close();
      throw error;
    }
    sequence++;
    return begun;
  };
  let active: string;
  let [waiting, bytes] = [0, 0];
  const counted = new Set<string>();
  try {
    await mkdir(folder, { recursive: true });
    lock = await lockFolder(folder);
  } catch (cause) {
    if (isMedzenError(cause)) throw cause;
    throw unusable(cause);
  }
  try {
    for (const name of await spoolFiles(folder)) {
      await (await openSpoolFile(at(name))).close(); // without a last line that was never finished
      const content = await readFile(at(name));
      waiting += linesOf(content).length;
      bytes += content.length;
      counted.add(name);
    }
    active = next();
    file = await begin();
    counted.add(active);
  } catch (cause) {
    await lock.release();
    throw unusable(cause);
  }
  const own = async (): Promise<void> => {
    if (!(await lock.held())) throw new Error('another process has taken the spool over');
  };

  // One thing at a time is done to the file that is written to.
  let last: Promise<unknown> = Promise.resolve();
  const exclusively = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work);
    last = next.catch(() => {}); // told to its own caller
    return next;
  };

  /** Begins another file. Where that fails, the present one goes on. */
  const rotate = async (): Promise<void> => {
    if (file.length === 0) return;
    const full = file;
    const name = next();
    file = await begin();
    active = name;
    counted.add(name);
    await full.close();
  };

  let gathered: { readonly lines: string; readonly count: number; readonly done: (error?: unknown) => void }[] = [];

  /** Whatever came while the disk was busy goes in one write. */
  const writeGathered = async (): Promise<void> => {
    const mine = gathered;
    gathered = [];
    if (mine.length === 0) return;
    const text = mine.map(({ lines }) => lines).join('');
    try {
      if (bytes + Buffer.byteLength(text) > maxBytes) throw new Error('the spool is full');
      if (file.length > fileBytes) await rotate();
      await file.add(text);
      await own(); // after, since whoever takes the folder over first says so and then reads what is there
    } catch (cause) {
      const error = new MedzenError('store_unavailable', 'The event could not be kept aside either', { cause });
      for (const { done } of mine) done(error);
      return;
    }
    bytes += Buffer.byteLength(text);
    for (const { count, done } of mine) {
      waiting += count;
      done();
    }
  };

  /** Hands a run of one tenant's events over. @returns those that the store refuses for good, each tried on its own */
  const handOver = async (store: AuditStore, events: readonly SpooledEvent[]): Promise<readonly Refused[]> => {
    const [first] = events;
    if (first === undefined) return [];
    const { tenant } = first;
    const sealed = events.map(({ id, body }) => ({ id, body }));
    try {
      await withDeadline(limit, async () => store.append({ tenant }, sealed, { durability: 'independent' }));
      return [];
    } catch (error) {
      if (!isMedzenError(error) || !(error.code === 'audit_conflict' || error.code === 'invalid_input')) throw error;
      if (events.length === 1) return [{ line: formatSpoolLine(tenant, first).trimEnd(), why: error.code }];
      const refused: Refused[] = [];
      for (const event of events) refused.push(...(await handOver(store, [event])));
      return refused;
    }
  };

  const drainFile = async (store: AuditStore, name: string): Promise<{ drained: number; rejected: number }> => {
    const content = await readFile(at(name));
    const lines = linesOf(content);
    const refused: Refused[] = [];
    let run: SpooledEvent[] = [];
    for (const line of lines) {
      const event = parseSpoolLine(line);
      if (event === undefined) {
        refused.push({ line, why: 'damaged' });
        continue;
      }
      if (run.length === batchEvents || (run[0] !== undefined && run[0].tenant !== event.tenant)) {
        refused.push(...(await handOver(store, run)));
        run = [];
      }
      run.push(event);
    }
    refused.push(...(await handOver(store, run)));
    await own();
    // Only now: a store that goes down half-way has the whole file tried again.
    if (refused.length > 0)
      await appendFile(at(aside), refused.map(({ line }) => `${line}\n`).join(''), { flush: true });
    for (const { why } of refused) logger.error('an event of the spool was set aside', { why });
    await unlink(at(name));
    await syncFolder(folder);
    if (counted.delete(name)) {
      bytes -= content.length;
      waiting -= lines.length;
    }
    return { drained: lines.length - refused.length, rejected: refused.length };
  };

  const drainAll = async (store: AuditStore): Promise<Drained> => {
    let [drained, rejected] = [0, 0];
    await own();
    await exclusively(rotate);
    for (const name of await spoolFiles(folder)) {
      if (name === active) continue;
      // Nobody writes to a closed file: what comes meanwhile is kept without waiting for a store that may never answer.
      const done = await drainFile(store, name);
      drained += done.drained;
      rejected += done.rejected;
    }
    return { drained, rejected, left: waiting };
  };

  let lastDrain: Promise<unknown> = Promise.resolve();
  const drain: Spool['drain'] = (store) => {
    const next = lastDrain
      .then(() => drainAll(store))
      .catch((cause: unknown) => {
        throw isMedzenError(cause)
          ? cause
          : new MedzenError('store_unavailable', 'The spool was not drained', { cause });
      });
    lastDrain = next.catch(() => {}); // told to its own caller
    return next;
  };

  return {
    keep: (scope: Scope, events: readonly SealedEvent[]) =>
      new Promise((resolve, reject) => {
        const lines = events.map((event) => formatSpoolLine(scope.tenant, event)).join('');
        const done = (error?: unknown): void => (error === undefined ? resolve() : reject(error));
        gathered.push({ lines, count: events.length, done });
        void exclusively(writeGathered);
      }),
    drain,
    size: async () => waiting,
    run: async (store, { intervalMs, signal }) => {
      while (!signal.aborted) {
        try {
          if (waiting > 0) await drain(store);
        } catch (error) {
          logger.warn('the spool could not be drained', {
            ...errorFields(error),
            waiting,
          });
        }
        await sleep(intervalMs, signal);
      }
    },
    close: async () => {
      await lastDrain;
      await exclusively(async () => {
        await writeGathered();
        await file.close();
        if (file.length === 0) await unlink(at(active));
        await lock.release();
      });
    },
  };
}

function unusable(cause: unknown): MedzenError {
  return new MedzenError('invalid_configuration', 'The folder of the spool cannot be used', { cause });
}

/** In the order in which they were begun. */
async function spoolFiles(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => /^\d{8}-\d{12}\.spool$/.test(name)).sort();
}

function linesOf(content: Buffer): readonly string[] {
  return content
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}
