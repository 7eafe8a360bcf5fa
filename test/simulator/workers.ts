import type { Recordings } from '@medzen/recording';
import type { World } from './world.ts';

const minute = 60_000;

/** What a worker does in one round. Small limits, so that what stands first in a queue could block it. */
export const chores: readonly (readonly [string, (recordings: Recordings, world: World) => Promise<unknown>])[] = [
  ['stops', (recordings, { scope }) => recordings.stopWithdrawn(scope, { limit: 3 })],
  ['reconciliations', (recordings, { scope }) => recordings.reconcile(scope, { limit: 3 })],
  ['transfers', (recordings, { scope }) => recordings.transferDue(scope, { limit: 3 })],
  ['sweep', (recordings, { scope }) => recordings.sweep(scope, { limit: 5 })],
];

/** A worker that does one chore after the other until it is told to stop. */
export async function work(world: World, name: string, goesOn: () => boolean): Promise<void> {
  const { scheduler, plan } = world;
  while (goesOn()) {
    await scheduler.sleep((1 + plan() * 25) * minute);
    const chore = chores[Math.floor(plan() * chores.length)];
    if (chore !== undefined) await world.run(`${name}:${chore[0]}`, (recordings) => chore[1](recordings, world));
  }
}
