import { MedzenError } from '@medzen/core';
import type { Migration } from '../migration.ts';
import { underSchema } from '../schema-name.ts';

/** How the SQL is written for a host. */
export interface TextOptions {
  /** Checked already. */
  readonly schema: string;
  /** The role that shall own the schema, when it is another than the one that applies the files. */
  readonly owner: string | undefined;
  /** Whether the file opens its own transaction. Without one `SET LOCAL` only warns, and the rest runs unpinned, each statement for itself. */
  readonly transaction: boolean;
}

/**
 * A migration as a file of the host. With an owner, the file takes that role on and gives back the one it found: tools take a role on
 * themselves before they apply a file, and write their own ledger after it, so `RESET ROLE` would leave them without their rights.
 * A role taken on by a file that fails is given back by the rollback.
 */
export function fileText(migration: Migration, { schema, owner, transaction }: TextOptions): string {
  const sql = underSchema(migration.sql, schema);
  const text = owner === undefined ? sql : ownedBy(owner, sql);
  return transaction ? inTransaction(text) : text;
}

/** In a transaction of its own. Run in another one (`psql -1`) it only warns that there is one, and ends that as well. */
export function inTransaction(sql: string): string {
  return `BEGIN;\n\n${sql.trimEnd()}\n\nCOMMIT;\n`;
}

function ownedBy(owner: string, sql: string): string {
  return [
    `SELECT pg_catalog.set_config('medzen.runner', current_user::text, false);`,
    `SELECT pg_catalog.set_config('role', '${owner}', false);`,
    '',
    sql,
    `SELECT pg_catalog.set_config('role', pg_catalog.current_setting('medzen.runner'), false);`,
    '',
  ].join('\n');
}

/**
 * Checks the name of a role, which is written into SQL.
 *
 * @throws MedzenError `invalid_configuration`
 */
export function checkedRole(role: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(role) || role.startsWith('pg_') || role === 'none' || role === 'public')
    throw new MedzenError('invalid_configuration', 'The name of the role is not a plain lower-case identifier');
  return role;
}
