import { readFile, writeFile } from 'node:fs/promises';
import { startPlayers } from './players.ts';
import type { Broken } from './variant.ts';
import { brokenVariants } from './variants.ts';

const file = new URL('seeds.json', import.meta.url);

/** Recordings of a world in which a variant is looked for. */
const perWorld = 25;
/** Seeds among which each variant must be found. */
const mostSeeds = 80;

/** By variant: a seed whose world finds it, and whose honest world breaks nothing. */
export type BrokenSeeds = Readonly<Record<string, number>>;

export async function readSeeds(): Promise<BrokenSeeds> {
  return JSON.parse(await readFile(file, 'utf8')) as BrokenSeeds; // as `findBroken` writes it
}

/** A world that finds a variant. */
interface Found {
  readonly seed: number;
  readonly invariant: string;
  readonly story: string;
}

/** Looks for worlds that find variants, and remembers which worlds are honest. */
export interface BrokenSearch {
  /** @returns the first of these seeds whose world finds the variant, and whose honest world breaks nothing */
  first(variant: Broken, seeds: Iterable<number>): Promise<Found | undefined>;
  end(): Promise<void>;
}

export function startBrokenSearch(processes: number): BrokenSearch {
  const players = startPlayers(processes);
  const known = new Map<number, Promise<boolean>>();
  const isHonest = (seed: number): Promise<boolean> => {
    const honest =
      known.get(seed) ?? players.play({ seed, perWorld }).then(({ violations }) => violations.length === 0);
    known.set(seed, honest);
    return honest;
  };
  return {
    first: async ({ name, foundBy }, seeds) => {
      for (const seed of seeds) {
        const { violations } = await players.play({ seed, perWorld, broken: name, untilViolated: foundBy });
        const found = violations.find(({ invariant }) => foundBy.includes(invariant));
        if (found !== undefined && (await isHonest(seed))) return { ...found, seed };
      }
      return undefined;
    },
    end: () => players.end(),
  };
}

/** The whole numbers from 1 on. */
export function firstSeeds(count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => n + 1);
}

/**
 * Looks for the first seed that finds each variant and writes them down. To be run again when the code takes other steps than before: every
 * world is another one then.
 *
 * @returns the variants that no seed finds
 */
export async function findBroken(processes: number, tell: (line: string) => void): Promise<readonly string[]> {
  const search = startBrokenSearch(processes);
  const seeds: Record<string, number> = {};
  const missing: string[] = [];
  const one = async (variant: Broken): Promise<void> => {
    const found = await search.first(variant, firstSeeds(mostSeeds));
    if (found === undefined) missing.push(variant.name);
    else seeds[variant.name] = found.seed;
    tell(
      `${variant.name}: ${found === undefined ? 'not found' : `seed ${found.seed}, ${found.invariant}: ${found.story}`}`,
    );
  };
  await Promise.all(brokenVariants.map(one)).finally(() => search.end());
  const sorted = brokenVariants.flatMap(({ name }) => (seeds[name] === undefined ? [] : [[name, seeds[name]]]));
  await writeFile(file, `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`);
  return missing;
}
