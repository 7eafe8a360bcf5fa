import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SimulationReport } from './simulate.ts';

/** How much to play. */
export interface RunOptions {
  /** Stops when so many recordings were played. */
  readonly recordings: number;
  /** The first seed; the next world has the next one. */
  readonly seed: number;
  /** Processes at once. */
  readonly processes: number;
  /** Recordings a world; 25 when absent. */
  readonly perWorld?: number;
  /** A Postgres to use instead of memory: the URL of its superuser's database. */
  readonly postgres?: string;
  /** The name of a broken variant. */
  readonly broken?: string;
  /** Ends a world, and begins no other, as soon as one of these invariants is violated. */
  readonly untilViolated?: readonly string[];
  readonly onReport?: (report: SimulationReport) => void;
}

/** What all worlds came to. */
export interface RunReport {
  readonly worlds: number;
  readonly recordings: number;
  readonly steps: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly checks: ReadonlyMap<string, number>;
  readonly ends: ReadonlyMap<string, number>;
  /** Stories by invariant, each with its seed. */
  readonly violations: ReadonlyMap<
    string,
    readonly { readonly seed: number; readonly at: string; readonly story: string }[]
  >;
}

/** What a playing process is told. */
export type Order = Pick<RunOptions, 'perWorld' | 'postgres' | 'broken' | 'untilViolated'> & { readonly seed: number };

/** Plays worlds in processes of their own, whose timers belong to the simulation. */
export async function runSimulations(options: RunOptions): Promise<RunReport> {
  const { perWorld = 25, postgres, broken, untilViolated } = options;
  const [faults, checks, ends] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
  const violations = new Map<string, { seed: number; at: string; story: string }[]>();
  let [worlds, recordings, steps, next] = [0, 0, 0, options.seed];
  const add = (into: Map<string, number>, from: Readonly<Record<string, number>>): void => {
    for (const [key, n] of Object.entries(from)) into.set(key, (into.get(key) ?? 0) + n);
  };
  const enough = (): boolean =>
    (worlds > 0 && recordings >= options.recordings) || untilViolated?.some((id) => violations.has(id)) === true;
  const take = (report: SimulationReport): void => {
    worlds += 1;
    recordings += report.recordings;
    steps += report.steps;
    add(faults, report.faults);
    add(checks, report.checks);
    add(ends, report.ends);
    for (const { invariant, at, story } of report.violations) {
      const list = violations.get(invariant) ?? [];
      list.push({ seed: report.seed, at, story });
      violations.set(invariant, list);
    }
    options.onReport?.(report);
  };
  const player = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(fileURLToPath(new URL('player.ts', import.meta.url)), {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const order = (): void => {
        if (enough()) {
          child.disconnect();
          return;
        }
        const told: Order = {
          seed: next++,
          perWorld,
          ...(postgres === undefined ? {} : { postgres }),
          ...(broken === undefined ? {} : { broken }),
          ...(untilViolated === undefined ? {} : { untilViolated }),
        };
        child.send(told);
      };
      child.on('message', (message) => {
        take(message as SimulationReport); // what a player sends
        order();
      });
      child.on('error', reject);
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`A player ended with ${code}`))));
      order();
    });
  await Promise.all(Array.from({ length: options.processes }, player));
  return { worlds, recordings, steps, faults, checks, ends, violations };
}
