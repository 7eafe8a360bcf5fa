import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Where the corpora lie: `CORPORA`, or a folder beside the repository. */
const folder: string = resolve(process.env.CORPORA ?? join(import.meta.dirname, '../../../shared/data/corpora'));

/**
 * Reads a corpus that others collected. It lies outside the repository and is never copied into it.
 *
 * @param name - the file
 * @throws Error that names the path when it is absent: a test without its corpus has not passed
 */
export function corpus<T>(name: string): T {
  const path = join(folder, name);
  if (!existsSync(path)) throw new Error(`${path} is missing; set CORPORA to the folder of the corpora`);
  return JSON.parse(readFileSync(path, 'utf8')) as T; // each suite counts what it expects to find
}
