import { randomUUID } from 'node:crypto';
import { access, link, open, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { MedzenError } from '@medzen/core';
import { fateOf, type ProcessIdentity, thisProcess } from './process-identity.ts';
import { syncFolder } from './sync-folder.ts';

/** A folder that is this process's own. */
export interface FolderLock {
  /** One more than that of the owner before, ≥ 1: names made with it are nobody else's. */
  readonly generation: number;
  /** Whether it still is. A process that stood still for long (a frozen machine) may find that another has taken it for dead. */
  held(): Promise<boolean>;
  /** Gives it back. */
  release(): Promise<void>;
}

/** Internal, for tests: who we are, and how fast. */
export interface LockFolderOptions {
  readonly self?: ProcessIdentity;
  /** Milliseconds between two signs of life; 1000 when absent. */
  readonly beatMs?: number;
}

/** A lock that shows no sign of life for so many beats is nobody's. */
const patience = 10;
const free = 'free';

/**
 * Makes a folder this process's own. Each owner has a file of its own, `lock.<generation>`, which it alone writes, with a sign of life each second; the
 * highest one counts. An owner that is known to be gone is followed at once: it said so, or its number in this very place is another process's, or
 * nobody's. Of one in another container or on another machine nobody knows: it is followed when it has shown no sign of life for ten seconds.
 * Two that follow at once want the same name, and one gets it.
 *
 * @throws MedzenError `invalid_configuration` while another process has it, or this one already
 */
export async function lockFolder(folder: string, options: LockFolderOptions = {}): Promise<FolderLock> {
  const { self = thisProcess(), beatMs = 1000 } = options;
  const fileOf = (generation: number): string => join(folder, `lock.${String(generation).padStart(8, '0')}`);
  const text = (beat: number): string => JSON.stringify({ ...self, beat: String(beat).padStart(12, '0') });

  const mine = join(folder, `.${randomUUID()}`);
  const handle = await open(mine, 'wx'); // whole before it has its name: nobody must take a lock for an empty one
  let generation = 0;
  try {
    await handle.write(text(0), 0);
    for (let tries = 0; generation === 0 && tries < 3; tries++) {
      const [newest = 0] = await generationsIn(folder);
      if (newest > 0 && (await isTaken(fileOf(newest), self, beatMs))) break;
      try {
        await link(mine, fileOf(newest + 1));
        // Others may have come and gone since we looked, and taken the older names away.
        if ((await generationsIn(folder))[0] === newest + 1) generation = newest + 1;
        else await unlink(fileOf(newest + 1));
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
    }
  } finally {
    if (generation === 0) await handle.close();
    await unlink(mine);
  }
  if (generation === 0)
    throw new MedzenError('invalid_configuration', 'This folder is in use: each process needs one of its own');
  for (const old of (await generationsIn(folder)).reverse())
    if (old < generation) await unlink(fileOf(old)).catch(() => undefined); // by the next owner then
  await syncFolder(folder);

  let beat = 0;
  let beating: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    beating = handle.write(text(++beat), 0).catch(() => undefined); // whoever misses it follows us, and `held` says so
  }, beatMs);
  timer.unref();
  return {
    generation,
    // The oldest go first, so that either the next one's file is there or ours is not.
    held: async () => !(await isThere(fileOf(generation + 1))) && (await isThere(fileOf(generation))),
    release: async () => {
      clearInterval(timer);
      await beating;
      await handle.truncate(0);
      await handle.write(free, 0);
      await handle.close();
    },
  };
}

/** Newest first. */
async function generationsIn(folder: string): Promise<number[]> {
  const names = (await readdir(folder)).filter((name) => /^lock\.\d{8}$/.test(name));
  return names.map((name) => Number(name.slice(5))).sort((a, b) => b - a);
}

async function isTaken(file: string, self: ProcessIdentity, beatMs: number): Promise<boolean> {
  const look = (): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined);
  const seen = await look();
  if (seen === undefined) return true; // by somebody newer, who took it away
  if (seen === free) return false;
  const owner = identityIn(seen);
  const fate = owner === undefined ? 'unknown' : fateOf(owner, self);
  if (fate !== 'unknown') return fate === 'alive';
  // Counted in looks, not in hours: a machine that slept has not looked.
  for (let looks = 0; looks < patience; looks++) {
    await pause(beatMs);
    const now = await look();
    if (now === free) return false;
    if (now !== seen) return true;
  }
  return false;
}

function identityIn(lock: string): ProcessIdentity | undefined {
  try {
    const { place, pid, start } = JSON.parse(lock);
    if (typeof place === 'string' && typeof pid === 'number' && typeof start === 'string') return { place, pid, start };
  } catch {
    // torn by a loss of power
  }
  return undefined;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
