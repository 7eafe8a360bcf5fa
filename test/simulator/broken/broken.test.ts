import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SimulationReport } from '../simulate.ts';
import { type Players, startPlayers } from './players.ts';
import { type BrokenSeeds, perWorld, readSeeds } from './seeds.ts';
import { brokenVariants } from './variants.ts';

let players: Players;
let seeds: BrokenSeeds;
const honest = new Map<number, Promise<SimulationReport>>();

beforeAll(async () => {
  seeds = await readSeeds();
  players = startPlayers(2);
});
afterAll(() => players.end());

function playHonestly(seed: number): Promise<SimulationReport> {
  const known = honest.get(seed) ?? players.play({ seed, perWorld });
  honest.set(seed, known);
  return known;
}

describe.concurrent('the simulator', () => {
  test.each(brokenVariants)(
    'finds it when $name: $behavior',
    async ({ name, foundBy }) => {
      const seed = seeds[name];
      if (seed === undefined) throw new Error(`No seed is known that finds ${name}: npm run trust -- --find-broken`);
      const broken = await players.play({ seed, perWorld, broken: name, untilViolated: foundBy });
      const found = broken.violations.map(({ invariant }) => invariant).filter((id) => foundBy.includes(id));
      expect(found, `Seed ${seed} finds it no more: npm run trust -- --find-broken`).not.toEqual([]);
      // What it finds is the doing of the variant alone.
      const { violations } = await playHonestly(seed);
      expect(violations.filter(({ invariant }) => foundBy.includes(invariant))).toEqual([]);
    },
    120_000,
  );
});
