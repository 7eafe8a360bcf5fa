import { expect, inject, test } from 'vitest';
import { missingFaults } from './faults.ts';
import { invariants } from './promises/invariants.ts';
import { type RunReport, runSimulations } from './run-simulations.ts';

function broken({ violations }: RunReport): readonly string[] {
  return [...violations].flatMap(([id, stories]) =>
    stories.map(({ seed, at, story }) => `${id}: seed ${seed}, ${at}: ${story}`),
  );
}

test('simulated recordings keep every promise, in memory', async () => {
  const report = await runSimulations({ recordings: 2000, seed: 1, processes: 2 });
  expect(broken(report)).toEqual([]);
  // A run that checks nothing proves nothing.
  for (const { id } of invariants) expect(report.checks.get(id) ?? 0, id).toBeGreaterThan(0);
  expect(missingFaults(report), 'kinds of fault that were never injected').toEqual([]);
}, 240_000);

test('simulated recordings keep every promise, on Postgres', async () => {
  const postgres = inject('postgresUrl');
  const report = await runSimulations({ recordings: 8, perWorld: 6, seed: 1, processes: 2, postgres });
  expect(broken(report)).toEqual([]);
}, 240_000);

test('a seed plays the same world again', async () => {
  const play = (): Promise<RunReport> => runSimulations({ recordings: 1, seed: 7, processes: 1 });
  expect(await play()).toEqual(await play());
}, 120_000);
