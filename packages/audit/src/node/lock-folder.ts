import { randomUUID } from 'node:crypto';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MedzenError } from '@medzen/core';

/**
 * Makes a folder this process's own until it ends. The lock of a process that is no more, or of an earlier one with our number (in a container
 * every process is the first), is taken over. So two containers at once must not be given the same folder.
 *
 * @returns what gives it back
 * @throws MedzenError `invalid_configuration` while another process of this machine has it, or this one already
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, 'lock');
  const mine = join(folder, `.${randomUUID()}`);
  const owner = `${process.pid} ${performance.timeOrigin}`; // the same in all threads of a process, another in the next process
  await writeFile(mine, owner, { flag: 'wx' }); // whole before it has its name: nobody must take a lock for an empty one
  try {
    for (let tries = 0; tries < 3; tries++) {
      try {
        await link(mine, file);
        return () => unlink(file);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
        const other = await readFile(file, 'utf8').catch(() => '');
        if (other === owner || isAnothers(other)) break;
        await takeAway(file, other);
      }
    }
  } finally {
    await unlink(mine);
  }
  throw new MedzenError('invalid_configuration', 'This folder is in use: each process needs one of its own');
}

/** Removes a lock that nobody holds; not one that another process has put in its place since we looked. */
async function takeAway(file: string, stale: string): Promise<void> {
  const away = `${file}.${randomUUID()}`;
  try {
    await rename(file, away);
  } catch {
    return; // another was faster
  }
  if ((await readFile(away, 'utf8')) !== stale) await link(away, file).catch(() => undefined);
  await unlink(away);
}

function isAnothers(lock: string): boolean {
  const pid = Number(lock.split(' ')[0]);
  if (pid === process.pid || !Number.isInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'; // somebody else's, but there
  }
}
