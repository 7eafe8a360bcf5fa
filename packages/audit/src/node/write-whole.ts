import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from './sync-folder.ts';

/**
 * Brings a file into being whole or not at all, durable: written and flushed under another name first, of which nothing stays.
 *
 * @param place - gives it its own: `rename`, or `link`, which fails where there is one
 */
export async function writeWhole(
  file: string,
  content: string | Uint8Array,
  place: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const making = join(dirname(file), `.${randomUUID()}`);
  try {
    const handle = await open(making, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await place(making, file);
  } finally {
    await rm(making, { force: true });
  }
  await syncFolder(dirname(file));
}
