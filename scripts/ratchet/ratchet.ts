import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../stage.ts';
import { crowdedFolders } from './crowded-folders.ts';
import { untestedOptions } from './untested-options.ts';

/** What stood when the check came. It may only shrink. */
export interface Ratchet {
  /** Options that no test sets. */
  readonly untestedOptions: readonly string[];
  /** Folders with too many files, and how many. */
  readonly crowdedFolders: Readonly<Record<string, number>>;
}

const file = join(root, 'scripts/ratchet/allowed.json');

/**
 * Compares today's state with the one that is allowed.
 *
 * @returns a complaint for each thing that is new, and for each entry that must go because it holds no more
 */
export function compareRatchet(now: Ratchet, allowed: Ratchet): readonly string[] {
  const known = new Set(allowed.untestedOptions);
  const still = new Set(now.untestedOptions);
  const folders = new Set([...Object.keys(now.crowdedFolders), ...Object.keys(allowed.crowdedFolders)]);
  return [
    ...now.untestedOptions
      .filter((one) => !known.has(one))
      .map((one) => `${one}: no test sets this option; set it in one`),
    ...allowed.untestedOptions.filter((one) => !still.has(one)).map((one) => `${one}: ${tighten}`),
    ...[...folders].flatMap((folder) => {
      const [count = 0, most = 0] = [now.crowdedFolders[folder], allowed.crowdedFolders[folder]];
      if (count > most) return [`${folder}: holds ${count} files; cut it by its concepts`];
      return count < most ? [`${folder}: ${tighten}`] : [];
    }),
  ];
}

const tighten = 'is in order now; run: node scripts/ratchet/ratchet.ts --tighten';

/** Reads today's state. */
function readRatchet(): Ratchet {
  const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
  return { untestedOptions: untestedOptions(), crowdedFolders: crowdedFolders(tracked) };
}

/** @throws Error that lists every complaint */
export function checkRatchet(): void {
  const complaints = compareRatchet(readRatchet(), allowedRatchet());
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

function allowedRatchet(): Ratchet {
  return JSON.parse(readFileSync(file, 'utf8')) as Ratchet; // a file of the repository
}

if (import.meta.main) {
  if (process.argv.includes('--tighten')) {
    const now = readRatchet();
    const before = allowedRatchet();
    const lowered: Ratchet = {
      untestedOptions: before.untestedOptions.filter((one) => now.untestedOptions.includes(one)),
      crowdedFolders: Object.fromEntries(
        Object.entries(before.crowdedFolders).flatMap(([folder, most]) => {
          const count = now.crowdedFolders[folder];
          return count === undefined ? [] : [[folder, Math.min(count, most)]];
        }),
      ),
    };
    writeFileSync(file, `${JSON.stringify(lowered, null, 2)}\n`);
  } else if (process.argv.includes('--list')) console.log(JSON.stringify(readRatchet(), null, 2));
  else checkRatchet();
}
