import { MedzenError, type Wire } from '@medzen/core';
import { compareLedger, demandLedger, type LedgerReport, type LedgerRow } from './ledger.ts';
import { knownMigrations } from './manifest.generated.ts';
import { callDeadline } from './wires/call-deadline.ts';
import { retryConflicts } from './wires/retry-conflicts.ts';

/**
 * Checks that the database has exactly the migrations that this library was built with, or newer ones that do not break it.
 * One query. Changes nothing, ever: a service has no right to migrate.
 *
 * @param wire - of the service's own role
 * @returns what was found, all of it well; look at `testClock`
 * @throws MedzenError `migration_missing`, naming the first one; `migration_drift` when one was altered, or the database needs a
 * newer library; `store_unavailable`
 * @example
 * ```ts
 * import { checkSql, pgWire } from '@medzen/sql';
 * import pg from 'pg';
 * const { testClock } = await checkSql(pgWire(new pg.Pool()));
 * ```
 */
export async function checkSql(wire: Wire): Promise<LedgerReport> {
  const rows = await wire.call('read_migrations', {});
  const ledger = rows.map((row): LedgerRow => {
    const { id, checksum, breaking } = row;
    if (typeof id !== 'string' || typeof checksum !== 'string' || typeof breaking !== 'boolean')
      throw new MedzenError('internal', 'The ledger has another shape than expected');
    return { id, checksum, breaking };
  });
  const report = compareLedger(ledger, knownMigrations);
  demandLedger(report);
  return report;
}

/**
 * The same wire, which checks the ledger before its first call and, once it was found well, never again. A wire inside a
 * transaction of the host is left as it is, since it may be made anew for each: there the function that is missing names
 * its migration.
 */
export function checkedWire(wire: Wire): Wire {
  let well = false;
  const checkedCall = (target: () => Wire): Wire['call'] => {
    // The root has a check of its own: it must not wait for one that waits for a connection of a pool full of transactions.
    let checking: Promise<unknown> | undefined;
    const check = async (): Promise<void> => {
      try {
        await checkSql(target());
        well = true;
      } finally {
        checking = undefined; // after a failure the next call looks again: somebody may have migrated, or the database be back
      }
    };
    return async (name, args, options) => {
      // Callers share a check, which has the wire's deadline; one whose signal is aborted leaves it to the others.
      if (!wire.inTransaction && !well) await patiently(options, () => (checking ??= check()));
      const to = target();
      return retryConflicts(
        () => !to.inTransaction,
        () => to.call(name, args, options),
        options?.signal,
      );
    };
  };
  const root: Wire = {
    call: checkedCall(() => wire.root),
    get root() {
      return root;
    },
    inTransaction: false,
  };
  return {
    call: checkedCall(() => wire),
    root,
    get inTransaction() {
      return wire.inTransaction;
    },
  };
}

/** Waits for what has a deadline of its own. */
const patiently = callDeadline(2 ** 31 - 1);
