import { MedzenError } from '@medzen/core';

/** One row of `medzen.migration`. */
export interface LedgerRow {
  readonly id: string;
  readonly checksum: string;
  readonly breaking: boolean;
}

/** Whether a ledger fits this library. */
export interface LedgerReport {
  /** Migrations of this library that the database lacks, in order. */
  readonly missing: readonly string[];
  /** Applied under a name this library knows, from another text. */
  readonly drifted: readonly string[];
  /** Applied, unknown to this library, and marked as breaking: the library is too old. */
  readonly tooNew: readonly string[];
  /** Whether the clock for tests is installed. Critical in a database in service. */
  readonly testClock: boolean;
}

/**
 * Compares what a database has with what this library was built with.
 *
 * @param rows - the ledger
 * @param known - the migrations of this library
 */
export function compareLedger(rows: readonly LedgerRow[], known: readonly LedgerRow[]): LedgerReport {
  const applied = new Map(rows.map((row) => [row.id, row]));
  const ids = new Set(known.map(({ id }) => id));
  return {
    missing: known.filter(({ id }) => !applied.has(id)).map(({ id }) => id),
    drifted: known
      .filter(({ id, checksum }) => (applied.get(id)?.checksum ?? checksum) !== checksum)
      .map(({ id }) => id),
    tooNew: rows.filter(({ id, breaking }) => breaking && !ids.has(id)).map(({ id }) => id),
    testClock: applied.has('medzen_test'),
  };
}

/**
 * Throws unless this library may work with the database.
 *
 * @throws MedzenError `migration_drift` when a migration was altered, or is of a newer library that older ones must not work with;
 * `migration_missing`, naming the first
 */
export function demandLedger(report: LedgerReport): void {
  const [drifted] = report.drifted;
  if (drifted !== undefined)
    throw new MedzenError('migration_drift', `Migration ${drifted} was applied from another text than this library's`);
  const [newer] = report.tooNew;
  if (newer !== undefined)
    throw new MedzenError('migration_drift', `The database has migration ${newer}, which needs a newer @medzen/sql`);
  const [missing] = report.missing;
  if (missing !== undefined) throw new MedzenError('migration_missing', `The database lacks migration ${missing}`);
}
