import { expect, test } from 'vitest';
import { brokenVariants } from './broken.ts';
import { runSimulations } from './run-simulations.ts';

test.each(brokenVariants)(
  'the simulator finds it when $name: $behavior',
  async ({ name, foundBy }) => {
    const { violations } = await runSimulations({
      recordings: 1500,
      seed: 1,
      processes: 2,
      broken: name,
      untilViolated: foundBy,
    });
    expect(foundBy.filter((id) => violations.has(id))).not.toEqual([]);
  },
  300_000,
);
