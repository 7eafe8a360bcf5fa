import { open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MedzenError } from '@medzen/core';

/**
 * Makes a folder this process's own until it ends. The lock of a process that is no more, or of an earlier one with our number (in a container
 * every process is the first), is taken over.
 *
 * @returns what gives it back
 * @throws MedzenError `invalid_configuration` while another process of this machine has it
 */
export async function lockFolder(folder: string, pid: number): Promise<() => Promise<void>> {
  const file = join(folder, 'lock');
  for (let tries = 0; tries < 3; tries++) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(pid));
      await handle.close();
      return () => unlink(file);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const owner = Number(await readFile(file, 'utf8').catch(() => ''));
      if (owner !== pid && isAlive(owner)) break;
      await unlink(file).catch(() => undefined); // another took it over in the meantime: the next try shows who
    }
  }
  throw new MedzenError('invalid_configuration', 'Another process uses this folder: each needs one of its own');
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'; // somebody else's, but there
  }
}
