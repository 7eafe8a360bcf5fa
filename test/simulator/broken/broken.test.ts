import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BrokenSearch, type BrokenSeeds, firstSeeds, readSeeds, startBrokenSearch } from './seeds.ts';
import { brokenVariants } from './variants.ts';

/** Seeds that are tried when the code has changed since the known one was found. */
const others = firstSeeds(25);

let search: BrokenSearch;
let seeds: BrokenSeeds;

beforeAll(async () => {
  seeds = await readSeeds();
  search = startBrokenSearch(2);
});
afterAll(() => search.end());

describe.concurrent('the simulator', () => {
  test.each(brokenVariants)(
    'finds it when $name: $behavior',
    async (variant) => {
      const seed = seeds[variant.name];
      const found = await search.first(variant, new Set([...(seed === undefined ? [] : [seed]), ...others]));
      expect(found, 'npm run trust -- --find-broken looks for another seed').toBeDefined();
      expect(variant.foundBy).toContain(found?.invariant);
    },
    240_000,
  );
});
