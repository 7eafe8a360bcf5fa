import { dirname } from 'node:path/posix';

/** Most files that a folder of source may hold, tests not counted. */
export const maxFiles = 20;

/**
 * Counts the files of each folder of source and names those that hold more than {@link maxFiles}.
 *
 * @param tracked - paths of all files under git
 * @returns the number of files by folder
 */
export function crowdedFolders(tracked: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const file of tracked) {
    if (!/^(?:packages|examples|scripts|test|bench|docs\/guides)\//.test(file)) continue;
    if (!/\.[cm]?ts$/.test(file) || /\.test\.ts$/.test(file)) continue;
    counts[dirname(file)] = (counts[dirname(file)] ?? 0) + 1;
  }
  return Object.fromEntries(
    Object.entries(counts)
      .filter(([, count]) => count > maxFiles)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
