import { type FileHandle, open, readFile } from 'node:fs/promises';

/** A file that lines are added to, each batch durable before it is spoken of. */
export interface SpoolFile {
  /** Bytes that are durable. */
  readonly length: number;
  /** Adds lines, whole or not at all. @throws what the file system throws; nothing of them stays then */
  add(lines: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens it, and cuts off a last line that was never finished: the process died before anybody was told that it is kept. */
export async function openSpoolFile(path: string): Promise<SpoolFile> {
  const handle = await open(path, 'a+');
  let length = await finishedLength(path);
  await handle.truncate(length);
  return {
    get length() {
      return length;
    },
    add: async (lines) => {
      const bytes = Buffer.from(lines);
      try {
        await handle.appendFile(bytes);
        await handle.datasync();
        length += bytes.length;
      } catch (error) {
        await cutBack(handle, length);
        throw error;
      }
    },
    close: () => handle.close(),
  };
}

async function cutBack(handle: FileHandle, length: number): Promise<void> {
  await handle.truncate(length).catch(() => undefined); // what is left of them is found damaged later, and kept aside
}

async function finishedLength(path: string): Promise<number> {
  return (await readFile(path)).lastIndexOf(0x0a) + 1;
}
