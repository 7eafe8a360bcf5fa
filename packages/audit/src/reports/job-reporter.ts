import {
  type AuditContext,
  type Clock,
  isMedzenError,
  type Logger,
  MedzenError,
  stderrLogger,
  systemClock,
} from '@medzen/core';
import type { AuditLog } from '../audit-log.ts';

/** Dependencies of a reporter. */
export interface JobReporterDeps {
  readonly audit: Pick<AuditLog, 'record'>;
  /** The service that runs the jobs, with the tenant whose log records them. */
  readonly ctx: AuditContext;
  /** Milliseconds between two reports of one job, ≥ 1000; an hour when absent. A job that runs every second must not fill the log with itself. */
  readonly everyMs?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** Figures of a job: how many of what. Names are codes, never ids or names of people. */
export type JobCounts = Readonly<Record<string, number>>;

/** Records what jobs come to: sweeps, transfers, archives, the sequencer. */
export interface JobReporter {
  /**
   * Runs a job and adds up what it came to. Its first run is reported at once, so is the first failure after it went well; otherwise a `job.report` event
   * follows once an interval, with the number of runs, the failures by their code and the sums of the counts. A report that cannot be written is kept for
   * the next one and logged: it fails no job.
   *
   * @param job - a code such as `recording.sweep`, 1–64 characters
   * @param work - the job; what it throws is thrown on
   * @param counts - figures of its result; by default its members that are numbers, and the lengths of those that are lists
   */
  run<T>(job: string, work: () => Promise<T>, counts?: (result: T) => JobCounts): Promise<T>;
  /** Writes what has not been reported: when a process ends. */
  flush(): Promise<void>;
}

interface Tally {
  since: number;
  runs: number;
  readonly failures: Map<string, number>;
  readonly counts: Map<string, number>;
}

const jobPattern = /^[a-z][a-z0-9_.-]{0,63}$/;
const hourMs = 3_600_000;

/**
 * Makes a reporter.
 *
 * @throws MedzenError `invalid_configuration` for an interval out of bounds
 * @see 45 CFR 164.308(a)(1)(ii)(D)
 * @example
 * ```ts
 * import { type AuditLog, createJobReporter, type Sequencer } from '@medzen/audit';
 * function reported(audit: AuditLog, sequencer: Sequencer) {
 *   const ctx = { scope: { tenant: 'default' }, actor: { id: 'jobs', type: 'service', roles: [], tenant: 'default' } } as const;
 *   const jobs = createJobReporter({ audit, ctx });
 *   return jobs.run('audit.sequence', () => sequencer.tick(), ({ sequenced }) => ({ sequenced }));
 * }
 * ```
 */
export function createJobReporter(deps: JobReporterDeps): JobReporter {
  const { audit, ctx, everyMs = hourMs, clock = systemClock, logger = stderrLogger } = deps;
  if (!Number.isSafeInteger(everyMs) || everyMs < 1000)
    throw new MedzenError('invalid_configuration', 'everyMs must be a whole number of milliseconds, 1000 or more');
  const tallies = new Map<string, Tally>();
  /** Last report of each job: when, and whether as failing. Trouble that lasts is not reported at each run. */
  const reports = new Map<string, { readonly at: number; readonly failing: boolean }>();

  const tallyOf = (job: string): Tally => {
    const present = tallies.get(job);
    if (present !== undefined) return present;
    const tally: Tally = {
      ...{ since: clock.now().getTime(), runs: 0 },
      ...{ failures: new Map(), counts: new Map() },
    };
    tallies.set(job, tally);
    return tally;
  };

  const report = async (job: string): Promise<void> => {
    const tally = tallies.get(job);
    if (tally === undefined || tally.runs === 0) return;
    tallies.delete(job); // what comes meanwhile is the next one's
    try {
      await audit.record(
        {
          ...{ action: 'job.report', kind: 'execute', outcome: tally.failures.size > 0 ? 'failed' : 'success' },
          target: { type: 'job', id: job },
          detail: {
            ...{ job, since: new Date(tally.since).toISOString(), runs: tally.runs },
            counts: Object.fromEntries(tally.counts),
            failures: Object.fromEntries(tally.failures),
          },
        },
        ctx,
        { durability: 'independent' },
      );
      reports.set(job, { at: clock.now().getTime(), failing: tally.failures.size > 0 });
    } catch (error) {
      merge(tallyOf(job), tally);
      logger.warn('a report of a job was not written', { job, code: isMedzenError(error) ? error.code : 'internal' });
    }
  };

  const isDue = (job: string, failedNow: boolean): boolean => {
    const last = reports.get(job);
    if (last === undefined || (failedNow && !last.failing)) return true;
    const since = clock.now().getTime() - last.at;
    return since >= everyMs || since < 0; // a clock that went back must not silence a job
  };

  return {
    run: async (job, work, counts = countsOf) => {
      if (!jobPattern.test(job)) throw new MedzenError('invalid_input', 'job must be a code of 1 to 64 characters');
      const settle = async (failedNow: boolean, add: (tally: Tally) => void): Promise<void> => {
        const tally = tallyOf(job);
        tally.runs++;
        add(tally);
        if (isDue(job, failedNow)) await report(job);
      };
      let result: Awaited<ReturnType<typeof work>>;
      try {
        result = await work();
      } catch (error) {
        const code = isMedzenError(error) ? error.code : 'internal';
        await settle(true, ({ failures }) => add(failures, code, 1));
        throw error;
      }
      await settle(false, (tally) => {
        for (const [name, count] of Object.entries(counts(result)))
          if (Number.isFinite(count)) add(tally.counts, name, count);
      });
      return result;
    },
    flush: async () => {
      for (const job of [...tallies.keys()]) await report(job);
    },
  };
}

function add(sums: Map<string, number>, name: string, count: number): void {
  sums.set(name, (sums.get(name) ?? 0) + count);
}

function merge(into: Tally, from: Tally): void {
  into.since = Math.min(into.since, from.since);
  into.runs += from.runs;
  for (const [code, count] of from.failures) add(into.failures, code, count);
  for (const [name, count] of from.counts) add(into.counts, name, count);
}

/** The figures of a result, whatever it is: nothing else of it goes into the log. */
function countsOf(result: unknown): JobCounts {
  if (typeof result !== 'object' || result === null) return {};
  return Object.fromEntries(
    Object.entries(result).flatMap(([name, value]: [string, unknown]) =>
      typeof value === 'number' ? [[name, value]] : Array.isArray(value) ? [[name, value.length]] : [],
    ),
  );
}
