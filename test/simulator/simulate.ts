import type { Clock } from '@medzen/core';
import type { Broken } from './broken/variant.ts';
import { deliverCallbacks } from './callbacks.ts';
import { count } from './faults.ts';
import { happen, takeAllBack } from './later-life.ts';
import { officer, pick, visit } from './people.ts';
import { checkAtCalm, checkAtLull, checkAtRest, checkEffect, isAtRest } from './promises/invariants.ts';
import { note } from './promises/ledger.ts';
import { WorldEnded } from './scheduler.ts';
import { chores, work } from './workers.ts';
import { createWorld, type Violation, type World, type WorldStores } from './world.ts';

/** Which world. */
export interface SimulationOptions {
  readonly seed: number;
  /** 25 when absent. */
  readonly recordings?: number;
  readonly broken?: Broken;
  /** Ends the world as soon as one of these invariants is violated. */
  readonly untilViolated?: readonly string[];
  readonly trace?: (line: string) => void;
  /** Memory when absent. */
  readonly stores?: (clock: Clock) => Promise<WorldStores>;
}

/** What came of it. */
export interface SimulationReport {
  readonly seed: number;
  /** Rows that came to be. */
  readonly recordings: number;
  readonly steps: number;
  readonly violations: readonly Violation[];
  readonly faults: Readonly<Record<string, number>>;
  readonly checks: Readonly<Record<string, number>>;
  /** Recordings by how they ended. */
  readonly ends: Readonly<Record<string, number>>;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Plays one world from its seed, the same each time. */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, recordings = 25, broken, untilViolated, trace, stores } = options;
  const world = await createWorld({
    seed,
    ...(broken === undefined ? {} : { broken }),
    ...(untilViolated === undefined ? {} : { untilViolated }),
    ...(trace === undefined ? {} : { trace }),
    ...(stores === undefined ? {} : { stores }),
    onEffect: (seen) => {
      note(seen);
      checkEffect(seen);
    },
  });
  try {
    await live(world, recordings);
  } catch (error) {
    if (error instanceof RangeError) world.violate('verbs-end', error.message);
    else if (!(error instanceof WorldEnded)) throw error;
  }
  return reportOf(world, seed);
}

async function live(world: World, recordings: number): Promise<void> {
  deliverCallbacks(world);
  await knowPatients(world);
  await visits(world, recordings);
  await rest(world);
  await years(world);
}

async function knowPatients(world: World): Promise<void> {
  const facts = [
    ['patient-0', '1980-05-01'],
    ['patient-1', '2015-02-28'],
    ['patient-2', '1960-02-29'],
  ] as const;
  for (const [patient, date] of facts)
    await alone(world, `birth of ${patient}`, (recordings) =>
      recordings.noteFact({ patient, type: 'birth', date, zone: 'America/New_York' }, officer(world)),
    );
}

/** Runs one verb when nothing else happens. */
async function alone(world: World, name: string, verb: Parameters<World['run']>[1]): Promise<unknown> {
  const running = world.run(name, verb);
  await world.scheduler.until(running);
  return running;
}

async function visits(world: World, recordings: number): Promise<void> {
  const { plan, weather } = world;
  worsen(weather, pick(world, [0, 0.02, 0.06, 0.12]));
  let open = recordings;
  const everyVisit = Array.from({ length: recordings }, async (_, n) => {
    await visit(world, {
      sessionId: `s-${n}`,
      patient: `patient-${Math.floor(plan() * 4)}`,
      doctor: `doctor-${n % 3}`,
    });
    open -= 1;
  });
  const workers = [1, 2, 3].map((n) => work(world, `worker-${n}`, () => open > 0));
  const away = outages(world, () => open > 0);
  await world.scheduler.until(Promise.all([...everyVisit, ...workers, away]), world.scheduler.now() + 4 * day);
  // A visit whose call never ended does not keep the others from going on.
  open = 0;
}

/** Ports that are away for a while, and lulls in between in which nothing goes wrong, workers run, and what must end has ended. */
async function outages(world: World, goesOn: () => boolean): Promise<void> {
  const { scheduler, plan, weather, counts } = world;
  const { rate } = weather;
  while (goesOn()) {
    await scheduler.sleep((10 + plan() * 120) * minute);
    if (!goesOn()) return;
    if (rate > 0 && plan() < 0.6) {
      const port = pick(world, ['provider', 'objects', 'recordings', 'notifier'] as const);
      const kind = plan() < 0.7 ? weather.down : weather.hung;
      count(counts, kind === weather.down ? `${port} away` : `${port} hangs`);
      kind.add(port);
      weather.calmSince = Number.POSITIVE_INFINITY;
      await scheduler.sleep((2 + plan() * 40) * minute);
      kind.delete(port);
    } else await lull(world, goesOn, rate);
  }
}

async function lull(world: World, goesOn: () => boolean, rate: number): Promise<void> {
  const { scheduler, weather } = world;
  calmDown(world);
  for (let n = 0; n < 9; n++) {
    await scheduler.sleep(4 * minute);
    for (const [name, chore] of chores)
      if (name !== 'sweep') await world.run(`lull:${name}`, (recordings) => chore(recordings, world));
  }
  if (!goesOn()) return;
  checkAtLull(world);
  worsen(weather, rate);
}

function calmDown({ weather, scheduler }: World): void {
  worsen(weather, 0);
  weather.calmSince = scheduler.now();
  weather.down.clear();
  weather.hung.clear();
}

function worsen(weather: World['weather'], rate: number): void {
  weather.rate = rate;
  weather.partial = Math.min(0.4, rate * 4);
  weather.staleListings = Math.min(0.5, rate * 4);
  weather.slowMedia = rate;
  if (rate > 0) weather.calmSince = Number.POSITIVE_INFINITY;
}

/** Ends all faults, lets what runs come to its end, then has workers run until nothing is left to do, and looks at everything. */
async function rest(world: World): Promise<void> {
  const { scheduler, habits } = world;
  calmDown(world);
  habits.failingMedia = 0;
  for (const room of world.provider.rooms.values()) {
    world.provider.end(room);
    room.mediaFault = 'none';
  }
  await pass(world, 26 * hour);
  checkAtCalm(world);
  for (const fiber of scheduler.alive) scheduler.kill(fiber);
  for (const span of [minute, 10 * minute, 11 * minute, hour, hour, 2 * hour, day, day]) {
    await pass(world, span);
    // A second worker begins when the first one's lease would have ended.
    const second = scheduler
      .sleep(16 * minute)
      .then(() => world.run('second:transfers', (recordings) => recordings.transferDue(world.scope)));
    for (const [name, chore] of chores) await alone(world, `rest:${name}`, (recordings) => chore(recordings, world));
    await scheduler.until(second);
    if (span === hour) await mend(world);
    if (span > minute && isAtRest(world)) break;
  }
  await refresh(world);
  await checkAtRest(world);
}

/** A person looks at what failed, and tries again. */
async function mend(world: World): Promise<void> {
  await refresh(world);
  for (const { id, row } of world.truth.recordings.values())
    if (row.state === 'failed')
      await alone(world, 'mend', (recordings) => recordings.retryTransfer(id, officer(world)));
}

async function refresh(world: World): Promise<void> {
  for (const recording of world.truth.recordings.values())
    recording.row = (await world.read(recording.id)) ?? recording.row;
}

/** Spans between which something is due: the duty ends, people are told, the grace ends; and once more, for what was kept longer. */
const spans: readonly number[] = [
  3 * 365,
  4 * 365 + 2,
  61,
  29,
  2,
  35,
  3 * 365,
  4 * 365 + 2,
  61,
  32,
  40,
  7 * 365,
  100,
  40,
];

async function years(world: World): Promise<void> {
  const { scheduler, weather, plan } = world;
  const turbulent = pick(world, [0, 1, 4, 10]);
  for (const [n, span] of spans.entries()) {
    await pass(world, span * day);
    if (isOver(world)) return;
    const last = n >= spans.length - 4;
    if (last) await scheduler.until(takeAllBack(world));
    worsen(weather, last ? 0 : pick(world, [0, 0.03, 0.1]));
    let rounds = 3;
    const workers = [1, 2].map((k) => work(world, `worker-${k}`, () => rounds-- > 0));
    const events = last ? [] : [happen(world, Math.floor(plan() * (turbulent + 1)), 40 * minute)];
    await scheduler.until(Promise.all([...workers, ...events]), scheduler.now() + 2 * day);
    await rest(world);
  }
}

function isOver({ truth }: World): boolean {
  return [...truth.recordings.values()].every(({ row }) => row.state === 'deleted');
}

/** Lets time go by while nobody does anything. */
async function pass(world: World, ms: number): Promise<void> {
  await world.scheduler.until(new Promise(() => undefined), world.scheduler.now() + ms);
}

function reportOf(world: World, seed: number): SimulationReport {
  const ends: Record<string, number> = {};
  for (const { row } of world.truth.recordings.values()) ends[row.state] = (ends[row.state] ?? 0) + 1;
  return {
    seed,
    recordings: world.truth.recordings.size,
    steps: world.scheduler.steps(),
    violations: world.violations,
    faults: Object.fromEntries(world.counts),
    checks: Object.fromEntries(world.checks),
    ends,
  };
}
