import { readFile, writeFile } from 'node:fs/promises';
import { startPlayers } from './players.ts';
import type { Broken } from './variant.ts';
import { brokenVariants } from './variants.ts';

const file = new URL('seeds.json', import.meta.url);

/** Recordings of a world in which a variant is looked for. */
export const perWorld = 25;
/** Seeds among which each variant must be found. */
const mostSeeds = 150;

/** By variant: a seed whose world finds it, and whose honest world breaks nothing. */
export type BrokenSeeds = Readonly<Record<string, number>>;

export async function readSeeds(): Promise<BrokenSeeds> {
  return JSON.parse(await readFile(file, 'utf8')) as BrokenSeeds; // as `findBroken` writes it
}

/**
 * Looks for the first seed that finds each variant and writes them down. To be run again when the code takes other steps than before: every
 * world is another one then.
 *
 * @param pending - invariants that the honest code is known to break
 * @returns the variants that no seed finds
 */
export async function findBroken(
  processes: number,
  tell: (line: string) => void,
  pending: ReadonlySet<string> = new Set(),
): Promise<readonly string[]> {
  const players = startPlayers(processes);
  const honest = new Map<number, Promise<boolean>>();
  const isHonest = (seed: number): Promise<boolean> => {
    const known =
      honest.get(seed) ??
      players
        .play({ seed, perWorld })
        .then(({ violations }) => violations.every(({ invariant }) => pending.has(invariant)));
    honest.set(seed, known);
    return known;
  };
  const search = async ({ name, foundBy }: Broken): Promise<readonly [string, number | undefined]> => {
    for (let seed = 1; seed <= mostSeeds; seed++) {
      const { violations } = await players.play({ seed, perWorld, broken: name, untilViolated: foundBy });
      const found = violations.find(({ invariant }) => foundBy.includes(invariant));
      if (found === undefined || !(await isHonest(seed))) continue;
      tell(`${name}: seed ${seed}, ${found.invariant}: ${found.story}`);
      return [name, seed];
    }
    tell(`${name}: not found`);
    return [name, undefined];
  };
  const found = await Promise.all(brokenVariants.map(search)).finally(() => players.end());
  const seeds = found.filter(([, seed]) => seed !== undefined);
  await writeFile(file, `${JSON.stringify(Object.fromEntries(seeds), undefined, 2)}\n`);
  return found.filter(([, seed]) => seed === undefined).map(([name]) => name);
}
