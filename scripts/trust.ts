/**
 * Plays the whole life of recordings in simulated worlds with every fault, and checks the invariants of `test/simulator/promises/invariants.ts` after
 * each step.
 *
 *   node scripts/trust.ts [--recordings 100000] [--from 1] [--processes 2] [--postgres 20]
 *   node scripts/trust.ts --find-broken                looks again for the seeds that find each broken variant
 *   node scripts/trust.ts --seed 17 [--on-postgres]    plays one world again and tells every step
 */
import { parseArgs } from 'node:util';
import { findBroken } from '../test/simulator/broken/seeds.ts';
import { missingFaults } from '../test/simulator/faults.ts';
import { postgresStores } from '../test/simulator/postgres-stores.ts';
import { invariants } from '../test/simulator/promises/invariants.ts';
import { type RunReport, runSimulations } from '../test/simulator/run-simulations.ts';
import { simulate } from '../test/simulator/simulate.ts';
import { startPostgres } from '../test/start-postgres.ts';
import { createSupabaseRoles } from '../test/supabase-roles.ts';

const { values } = parseArgs({
  options: {
    recordings: { type: 'string', default: '100000' },
    from: { type: 'string', default: '1' },
    processes: { type: 'string', default: '2' },
    postgres: { type: 'string', default: '20' },
    seed: { type: 'string' },
    'find-broken': { type: 'boolean', default: false },
    'on-postgres': { type: 'boolean', default: false },
  },
});
const number = (text: string): number => {
  const n = Number(text);
  if (Number.isInteger(n) && n >= 0) return n;
  console.error(`${text} must be a whole number`);
  process.exit(2);
};

if (values['find-broken']) process.exitCode = await lookForBroken();
else process.exitCode = values.seed === undefined ? await playAll() : await replay(number(values.seed));

async function lookForBroken(): Promise<number> {
  const missing = await findBroken(number(values.processes), (line) => console.log(line));
  return missing.length === 0 ? 0 : 1;
}

async function playAll(): Promise<number> {
  const started = performance.now();
  const [recordings, seed, processes] = [number(values.recordings), number(values.from), number(values.processes)];
  let told = 0;
  const onReport = ({ seed: at, violations }: { seed: number; violations: readonly unknown[] }): void => {
    if (violations.length > 0) console.log(`  seed ${at}: ${violations.length} broken`);
    if (performance.now() - started < told * 60_000) return;
    told += 1;
    console.log(`  ${Math.round((performance.now() - started) / 1000)} s: seed ${at}`);
  };
  const inMemory = await runSimulations({ recordings, seed, processes, onReport });
  tell('in memory', inMemory, seed);
  // A short run cannot meet every kind.
  const never = recordings < 1000 ? [] : missingFaults(inMemory);
  if (never.length > 0) console.log(`  never injected: ${never.join(', ')}`);
  let failed = inMemory.violations.size + never.length;
  const worlds = number(values.postgres);
  if (worlds > 0) {
    const server = await startPostgres();
    try {
      await createSupabaseRoles(server.url);
      const options = { recordings: worlds * 25, perWorld: 40, seed, processes, postgres: server.url };
      const onPostgres = await runSimulations({ ...options, onReport });
      tell('on Postgres', onPostgres, seed);
      failed += onPostgres.violations.size;
    } finally {
      await server.stop();
    }
  }
  console.log(
    `trust: ${Math.round((performance.now() - started) / 1000)} s, ${failed} invariants broken or faults never injected`,
  );
  return failed === 0 ? 0 : 1;
}

function tell(where: string, report: RunReport, seed: number): void {
  const { worlds, recordings, steps } = report;
  console.log(`trust ${where}: seeds ${seed} to ${seed + worlds - 1}, ${recordings} recordings, ${steps} steps`);
  console.log('  ended as');
  list(report.ends);
  console.log('  faults and happenings');
  list(report.faults);
  console.log('  invariants');
  for (const { id, sentence } of invariants) {
    const stories = report.violations.get(id) ?? [];
    console.log(
      `    ${stories.length === 0 ? 'ok  ' : 'FAIL'} ${id} (${report.checks.get(id) ?? 0} checks): ${sentence}`,
    );
  }
  for (const [id, stories] of report.violations)
    for (const story of stories.slice(0, 5)) console.log(`    ${id}: seed ${story.seed}, ${story.at}: ${story.story}`);
}

function list(counts: ReadonlyMap<string, number>): void {
  for (const [what, n] of [...counts].filter(([name]) => !name.startsWith('at ')).toSorted(([, a], [, b]) => b - a))
    console.log(`    ${what}: ${n}`);
}

async function replay(seed: number): Promise<number> {
  const server = values['on-postgres'] ? await startPostgres() : undefined;
  if (server !== undefined) await createSupabaseRoles(server.url);
  const database = server === undefined ? undefined : await postgresStores(server.url, seed);
  try {
    const { violations, ends } = await simulate({
      seed,
      trace: (line) => console.log(line),
      ...(database === undefined ? {} : { stores: database.open, recordings: 10 }),
    });
    console.log(JSON.stringify(ends));
    for (const { invariant, at, story } of violations) console.log(`${invariant}: ${at}: ${story}`);
    return violations.length === 0 ? 0 : 1;
  } finally {
    await database?.close();
    await server?.stop();
  }
}
