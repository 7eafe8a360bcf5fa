import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './stage.ts';

/** A package of the workspace. */
export interface Package {
  /** `@medzen/core` */
  readonly name: string;
  /** Absolute. */
  readonly dir: string;
  /** `.`, `./webhooks`, … → `./src/….ts` */
  readonly exports: Readonly<Record<string, string>>;
}

/** The packages that are published, in alphabetical order. */
export function packages(): readonly Package[] {
  return readdirSync(join(root, 'packages'))
    .sort()
    .map((folder) => {
      const dir = join(root, 'packages', folder);
      const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Package; // our own file
      return { name: manifest.name, dir, exports: manifest.exports };
    });
}
