import { join, relative } from 'node:path';
import { packages } from './packages.ts';
import { command, root } from './stage.ts';

/** The API reference of every published entry as HTML, in docs/api. A warning (a broken link, a type that is not exported) is an error. */
export async function buildApiReference(): Promise<void> {
  const entries = packages().flatMap(({ dir, exports }) =>
    Object.values(exports).map((file) => relative(root, join(dir, file))),
  );
  await command('typedoc', entries);
}
