import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MedzenError } from '@medzen/core';
import type { Migration } from '../migration.ts';
import { checkedSchema, underSchema } from '../schema-name.ts';
import { administratorSql } from './administrator-sql.ts';
import { definitionOf } from './definition.ts';
import { checkedRole, fileText, inTransaction } from './file-text.ts';
import type { CliIo } from './io.ts';
import { targetNamed } from './target.ts';

/** What `print` was asked for. */
export interface PrintOptions {
  readonly schema: string;
  readonly owner: string | undefined;
  /** The tool that is to apply it, if not psql. */
  readonly target: string | undefined;
  readonly from: string | undefined;
  readonly only: string | undefined;
  readonly object: string | undefined;
  readonly rollback: boolean;
  readonly administrator: boolean;
}

/**
 * The SQL that was asked for.
 *
 * @throws MedzenError `not_found` for an id or object that this version does not have; `invalid_configuration`
 */
export function print(options: PrintOptions, known: readonly Migration[], io: CliIo): string {
  const schema = checkedSchema(options.schema);
  const owner = options.owner === undefined ? undefined : checkedRole(options.owner);
  if (options.administrator) return administratorSql(schema, owner);
  if (options.object !== undefined) return printObject(options.object, known, schema);
  for (const id of [options.from, options.only])
    if (id !== undefined && !known.some((migration) => migration.id === id))
      throw new MedzenError('not_found', `There is no migration ${id}`);
  const wanted = known.filter(
    ({ id }) => id >= (options.from ?? '') && (options.only === undefined || id === options.only),
  );
  if (options.rollback) return printRollback(wanted, schema, join(io.packageDir, 'rollback'));
  const transaction = !targetNamed(options.target ?? 'psql').wraps;
  return wanted.map((migration) => fileText(migration, { schema, owner, transaction })).join('\n');
}

function printObject(object: string, known: readonly Migration[], schema: string): string {
  const [kind = '', name = ''] = object.split(':');
  const sql = definitionOf(known, kind, name.replace(new RegExp(`^${schema}(_api)?\\.`), 'medzen$1.'));
  if (sql === undefined)
    throw new MedzenError('not_found', `${object} is not created by a single statement; see schema.sql in @medzen/sql`);
  // A function that is made anew may be called by PUBLIC, and by nobody else.
  const grants = kind === 'function' ? '\nSELECT medzen.apply_permissions();' : '';
  return `${underSchema(sql + grants, schema)}\n`;
}

/** Last first. */
function printRollback(wanted: readonly Migration[], schema: string, dir: string): string {
  if (!existsSync(dir)) throw new MedzenError('not_found', 'This version has no rollback scripts');
  const files = readdirSync(dir).filter((name) => name.endsWith('.sql'));
  const scripts = wanted.toReversed().map(({ id }) => {
    if (!files.includes(`${id}.sql`)) throw new MedzenError('not_found', `Migration ${id} has no rollback script`);
    return inTransaction(underSchema(readFileSync(join(dir, `${id}.sql`), 'utf8'), schema));
  });
  return scripts.join('\n');
}
