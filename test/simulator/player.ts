import { brokenVariants } from './broken/variants.ts';
import { postgresStores } from './postgres-stores.ts';
import type { Order } from './run-simulations.ts';
import { type SimulationOptions, simulate } from './simulate.ts';

/** Plays the worlds that its parent orders, one after the other. */
process.on('message', (message) => {
  void play(message as Order); // what `runSimulations` sends
});

async function play({ seed, perWorld, postgres, broken, untilViolated }: Order): Promise<void> {
  const variant = brokenVariants.find(({ name }) => name === broken);
  if (broken !== undefined && variant === undefined) throw new Error(`There is no broken variant called ${broken}`);
  const database = postgres === undefined ? undefined : await postgresStores(postgres, seed);
  const options: SimulationOptions = {
    seed,
    ...(perWorld === undefined ? {} : { recordings: perWorld }),
    ...(variant === undefined ? {} : { broken: variant }),
    ...(untilViolated === undefined ? {} : { untilViolated }),
    ...(database === undefined ? {} : { stores: database.open }),
  };
  try {
    process.send?.(await simulate(options));
  } finally {
    await database?.close();
  }
}
