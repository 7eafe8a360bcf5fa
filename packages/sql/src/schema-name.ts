import { MedzenError } from '@medzen/core';

const pattern = /^[a-z][a-z0-9_]{0,39}$/;

/**
 * Checks the name of the schema, which is written into SQL.
 *
 * @param schema - 1–40 of `a-z`, `0-9` and `_`, starting with a letter; not a word of SQL, and not `pg_…`
 * @returns the same
 * @throws MedzenError `invalid_configuration`
 */
export function checkedSchema(schema: string): string {
  if (pattern.test(schema) && !schema.startsWith('pg_')) return schema;
  throw new MedzenError('invalid_configuration', 'The name of the schema is not a plain lower-case identifier');
}

/** The SQL of a migration under the chosen name. `medzen_app` and its like are other words, and stay. */
export function underSchema(sql: string, schema: string): string {
  return schema === 'medzen' ? sql : sql.replace(/\bmedzen\b/g, checkedSchema(schema));
}
