import { MedzenError } from '@medzen/core';
import { compareLedger, demandLedger, type LedgerRow } from './ledger.ts';
import type { Migration } from './migration.ts';
import { migrations, testMigrations } from './migrations.generated.ts';
import { checkedSchema, underSchema } from './schema-name.ts';
import { readTexts, runScript, type SqlClient } from './sql-client.ts';
import { fromSqlError, sqlstateOf } from './sqlstate.ts';

/** How to install. */
export interface InstallOptions {
  /** Name of the schema; `medzen` when absent. */
  readonly schema?: string;
  /** Also install the clock that tests and the demo move. Never in a database in service. */
  readonly test?: boolean;
}

/** Raised inside a migration's transaction when another installer was faster. Not an error code of the library. */
const alreadyApplied = 'MZ900';

/**
 * Applies the migrations that a database lacks, each in a transaction of its own, and makes the partitions of the coming
 * months. Needs a role that may create a schema (and roles, or they must exist); that role becomes the owner.
 * Two installers at once are safe: an advisory lock lets one through, and the other finds the work done.
 *
 * Call it when you deploy, never from a running service.
 *
 * @param client - a `pg` Pool or Client outside any transaction, or a PGlite
 * @param options - schema name, and whether to install the test clock
 * @returns the ids applied by this call, in order
 * @throws MedzenError `migration_drift` when an applied migration differs from this library's, before anything is changed;
 * `store_unavailable`; `invalid_configuration`
 * @example
 * ```ts
 * import { installSql } from '@medzen/sql';
 * import { PGlite } from '@electric-sql/pglite';
 * const applied = await installSql(await PGlite.create());
 * ```
 */
export async function installSql(client: SqlClient, options: InstallOptions = {}): Promise<readonly string[]> {
  const schema = checkedSchema(options.schema ?? 'medzen');
  const wanted = options.test === true ? [...migrations, ...testMigrations] : migrations;
  const done: string[] = [];
  try {
    const report = compareLedger(await readLedger(client, schema), wanted);
    demandLedger({ ...report, missing: [] });
    for (const migration of wanted) {
      if (!report.missing.includes(migration.id)) continue;
      if (await apply(client, schema, migration)) done.push(migration.id);
    }
    await client.query(`SELECT ${schema}.make_audit_partitions()`);
    // The other installer, if there was one, may have been of another version.
    demandLedger(compareLedger(await readLedger(client, schema), wanted));
    return done;
  } catch (error) {
    throw fromSqlError(error, 'installSql');
  }
}

/** The ledger, empty when there is none yet. */
export async function readLedger(client: SqlClient, schema: string): Promise<readonly LedgerRow[]> {
  const found = await readTexts(
    client,
    `SELECT to_regclass('${schema}.migration')::text AS t WHERE to_regclass('${schema}.migration') IS NOT NULL`,
  );
  if (found.length === 0) return [];
  const rows = await readTexts(
    client,
    `SELECT to_jsonb(m)::text AS t FROM ${schema}.migration m ORDER BY m.id COLLATE "C"`,
  );
  return rows.map((text) => JSON.parse(text) as LedgerRow); // the table's own columns
}

/** @returns false when another installer has applied it in the meantime */
async function apply(client: SqlClient, schema: string, migration: Migration): Promise<boolean> {
  // Simple protocol: everything in the text is one transaction, on whichever connection a pool takes for it.
  const guard = `
    SET LOCAL lock_timeout = '1min';
    SELECT pg_advisory_xact_lock(hashtextextended('medzen.install.${schema}', 0));
    DO $$ BEGIN
      IF to_regclass('${schema}.migration') IS NOT NULL THEN
        IF EXISTS (SELECT FROM ${schema}.migration WHERE id = '${migration.id}') THEN
          RAISE EXCEPTION USING ERRCODE = '${alreadyApplied}', MESSAGE = 'applied already';
        END IF;
      END IF;
    END $$;`;
  try {
    await runScript(client, `${guard}\n${underSchema(migration.sql, schema)}`);
    return true;
  } catch (error) {
    if (sqlstateOf(error) === alreadyApplied) return false;
    const failed = fromSqlError(error, migration.id);
    if (failed.code !== 'internal') throw failed;
    throw new MedzenError('internal', `Migration ${migration.id} failed`, { cause: error });
  }
}
