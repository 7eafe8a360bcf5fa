import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './stage.ts';

/** Suites whose verdict could hang on time: on an order between processes, a lock, a lease, a deadline, or a process that starts and ends. */
export interface TimingSuite {
  /** A file, or a glob, relative to the root. */
  readonly files: string;
  readonly why: string;
  /** Left out of the short form, because it takes long alone. */
  readonly long?: true;
}

/** What `run:flaky` repeats. A suite that waits, spawns or locks must stand here; `timing-suites.test.ts` says which is missing. */
export const timingSuites: readonly TimingSuite[] = [
  { files: '{packages,test}/**/*.concurrency.test.ts', why: 'many connections to one Postgres' },
  { files: 'packages/sql/src/wire.test.ts', why: 'deadlines, cut connections, calls that are aborted' },
  { files: 'packages/sql/src/*timeout*.test.ts', why: 'waits for locks that end by the clock' },
  { files: 'packages/sql/src/postgres-js-wire.test.ts', why: 'the same over postgres.js', long: true },
  { files: 'packages/sql/src/wires/*.test.ts', why: 'servers that hang, pools that are full' },
  { files: 'packages/core/src/deadline.test.ts', why: 'deadlines' },
  { files: 'packages/adapters-prisma/src/prisma-wire.test.ts', why: 'transactions that end by the clock' },
  { files: 'packages/sql/src/neon-wire.test.ts', why: 'the same over HTTP' },
  { files: 'packages/sql/src/erasable-identity.test.ts', why: 'writers that wait for the lock of an erasure' },
  { files: 'packages/sql/src/audit-table.test.ts', why: 'times of triggers within one transaction' },
  {
    files: 'packages/adapters-prisma/src/host-transaction.test.ts',
    why: 'transactions that hold connections of one pool',
  },
  { files: 'packages/adapters-prisma/src/prisma-types.test.ts', why: 'runs the type checker as a process', long: true },
  { files: 'packages/adapters-local/src/memory-limits.test.ts', why: 'limits by the clock' },
  { files: 'packages/audit/src/node/lock-folder.test.ts', why: 'processes that fight for a folder' },
  { files: 'packages/audit/src/spool.test.ts', why: 'a spool that outlives its process' },
  { files: 'packages/audit/src/sequencer.test.ts', why: 'leases of sequencers' },
  { files: 'packages/audit/src/tail.test.ts', why: 'waits for events' },
  { files: 'packages/audit/src/lag-watch.test.ts', why: 'watches by the clock' },
  { files: 'packages/audit/src/audit-log.test.ts', why: 'events written behind the answer' },
  { files: 'packages/audit/src/batched-audit-store.test.ts', why: 'batches that close by the clock' },
  { files: 'packages/audit/src/audit-over-sql.test.ts', why: 'sequencers and writers on one Postgres' },
  { files: 'packages/audit/src/archive/archiver.test.ts', why: 'an archiver beside writers' },
  { files: 'packages/audit/src/witness.test.ts', why: 'witnesses asked at once, and their deadlines' },
  { files: 'packages/audit/src/*-cli.test.ts', why: 'commands as processes' },
  { files: 'packages/recording/src/s3.test.ts', why: 'uploads that time out and go on' },
  { files: 'packages/recording/src/sweep/*.test.ts', why: 'two sweeps at once' },
  {
    files: 'packages/core/src/object-deadlines.test.ts',
    why: 'stores that hang while they are read back',
  },
  { files: 'packages/recording/src/transfer.test.ts', why: 'leases of transfers' },
  { files: 'packages/recording/src/stop-withdrawn.test.ts', why: 'a withdrawal beside a start' },
  { files: 'packages/security/src/express.test.ts', why: 'bodies that stall, clients that leave' },
  { files: 'packages/security/src/guard-*.test.ts', why: 'deadlines of stores, denials that are counted' },
  { files: 'packages/security/src/limits/*.test.ts', why: 'limits by the clock' },
  { files: 'packages/security/src/identity/oidc.test.ts', why: 'issuers that hang' },
  { files: 'test/people-api.test.ts', why: 'calls that wait for a lock' },
  { files: 'test/fault-lines.test.ts', why: 'two connections at once, step by step' },
  { files: 'test/recording-on-postgres.test.ts', why: 'two workers on one Postgres' },
  { files: 'test/soak/soak.test.ts', why: '32 connections that do everything at once', long: true },
  { files: 'test/chaos/chaos.test.ts', why: 'sequencers that are killed', long: true },
  {
    files: 'examples/express/src/{main,crash,stage,demo}.test.ts',
    why: 'processes that start, are killed and end',
    long: true,
  },
  { files: 'examples/express/src/{life,outages}.test.ts', why: 'a whole app, and stores that hang' },
  { files: 'examples/deno/src/functions.test.ts', why: 'Deno as a process', long: true },
  { files: 'docs/guides/witness/src/witness.test.ts', why: 'a witness as a process' },
];

/**
 * The files of the suites.
 *
 * @throws Error that names a suite of which no file is left
 */
export function timingFiles(suites: readonly TimingSuite[] = timingSuites): readonly string[] {
  const found = suites.map(({ files }) => ({ files, names: globSync(files, { cwd: root }) }));
  const gone = found.filter(({ names }) => names.length === 0);
  if (gone.length > 0)
    throw new Error(
      `scripts/timing-suites.ts names no file: ${gone.map(({ files }) => files).join(', ')}; correct the list`,
    );
  return [...new Set(found.flatMap(({ names }) => names))].sort();
}

const signs =
  /\bset(?:Timeout|Interval)\(|timers\/promises|node:child_process|node:worker_threads|\bpg_sleep\b|\bpg_advisory|\bpg_stat_activity\b|\bpg_locks\b/;

/** The tests of the repository that wait, spawn or look at locks by themselves. */
export function timedTests(): readonly string[] {
  return globSync('{packages,examples,docs,test,scripts}/**/*.test.ts', { cwd: root, exclude: ['**/node_modules'] })
    .filter((file) => signs.test(readFileSync(join(root, file), 'utf8')))
    .sort();
}
