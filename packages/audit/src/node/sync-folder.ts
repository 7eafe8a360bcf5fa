import { open } from 'node:fs/promises';

/** Flushes a folder: only then does a new name in it survive a loss of power. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
