import { MedzenError } from '@medzen/core';
import type { Migration } from '../migration.ts';
import { underSchema } from '../schema-name.ts';

/** How the SQL is written for a host. */
export interface TextOptions {
  /** Checked already. */
  readonly schema: string;
  /** The role that shall own the schema, when it is another than the one that applies the files. */
  readonly owner: string | undefined;
}

/**
 * A migration as a file of the host. With an owner, the file takes that role on and gives back the one it found: tools take a role on
 * themselves before they apply a file, and write their own ledger after it, so `RESET ROLE` would leave them without their rights.
 * A role taken on by a file that fails is given back by the rollback.
 */
export function fileText(migration: Migration, { schema, owner }: TextOptions): string {
  const sql = underSchema(migration.sql, schema);
  if (owner === undefined) return sql;
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
