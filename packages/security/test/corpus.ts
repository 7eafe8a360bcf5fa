import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * A corpus of the shared data, which lies beside the repository and is never copied into it.
 *
 * @throws Error that names the file when it is absent: a test without its corpus has not passed
 */
export function corpus<T>(name: string): T {
  const path = fileURLToPath(new URL(`../../../../shared/data/corpora/${name}`, import.meta.url));
  if (!existsSync(path)) throw new Error(`The corpus ${name} is missing: expected at ../shared/data/corpora/${name}`);
  return JSON.parse(readFileSync(path, 'utf8')) as T; // each test says what it expects to find
}
