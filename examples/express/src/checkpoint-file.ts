import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** The last checkpoint, kept where an owner of the database cannot rewrite it. Better still: on another machine. */
export interface CheckpointFile {
  read(): string | undefined;
  write(checkpoint: string): void;
}

/**
 * In a file, replaced whole, so that a crash leaves the old one or the new one.
 *
 * @param path - the folder must exist
 */
export function checkpointFile(path: string): CheckpointFile {
  return {
    read: () => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
    write: (checkpoint) => {
      writeFileSync(`${path}.new`, checkpoint);
      renameSync(`${path}.new`, path);
    },
  };
}
