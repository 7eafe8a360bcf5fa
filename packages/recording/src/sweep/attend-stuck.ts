import { reconcile } from '../capture/reconcile.ts';
import { stopWithdrawn } from '../stop-withdrawn.ts';
import type { SweepRun } from './run.ts';

/** Stops what should not run any more. It asks no deadline, so a wrong clock does not stand in its way. */
export async function stopRequested({ room, scope, limit, signal, tally }: SweepRun): Promise<void> {
  const report = await stopWithdrawn(room, scope, { limit, ...(signal === undefined ? {} : { signal }) });
  tally.withdrawn.push(...report.stopped);
  tally.failed.push(...report.retrying.map((failure) => ({ ...failure, step: 'stop' as const })));
}

/** Asks providers about what is late. It judges by the store's clock alone, so a wrong clock of this process does not matter. */
export async function reconcileLate({ room, scope, limit, signal, tally }: SweepRun): Promise<void> {
  const report = await reconcile(room, scope, { limit, ...(signal === undefined ? {} : { signal }) });
  tally.reconciled.push(...report.moved.map(({ id }) => id));
  tally.withdrawn.push(...report.stopped);
  tally.stuck.push(...report.failed.map(({ id }) => id), ...report.overdue.map(({ id }) => id));
  tally.failed.push(...report.retrying.map((failure) => ({ ...failure, step: 'reconcile' as const })));
  tally.failed.push(...report.setAside.map((row) => ({ ...row, step: 'reconcile' as const })));
}
