import { underSchema } from '../schema-name.ts';
import type { SqlClient } from '../sql-client.ts';
import type { CatalogObject } from './catalog.ts';
import type { Finding } from './finding.ts';

/** Tools of every part of an examination. */
export interface Examination {
  /** Checked already. */
  readonly schema: string;
  readonly catalog: readonly CatalogObject[];
  /** Role that owns the schema. */
  readonly owner: string;
  /** Roles of the cluster. */
  readonly roles: ReadonlySet<string>;
  readonly testClock: boolean;
  /** True when the server is a standby: it can be read, but for its unlogged tables. */
  readonly standby: boolean;
  /** Runs a query that is written with the word `medzen`. */
  read(sql: string): Promise<readonly Row[]>;
  /** SQL or a command, under the host's name of the schema. */
  under(sql: string): string;
  /** Notes what the role that looks has no right to see. */
  skip(what: string): void;
}

/** A row of a query of ours. */
type Row = Readonly<Record<string, unknown>>;

/** Looks at one matter. */
export type Examiner = (examination: Examination) => Promise<readonly Finding[]>;

/** Reads with a client under a schema's name. */
export function reader(client: SqlClient, schema: string): Examination['read'] {
  return async (sql) => (await client.query(underSchema(sql, schema))).rows as readonly Row[]; // rows are objects in every driver
}

/** Checks that the examining role may read a table or call a function. */
export async function may(
  { read }: Pick<Examination, 'read'>,
  kind: 'table' | 'function',
  object: string,
): Promise<boolean> {
  const [schema = ''] = object.split('.');
  const privilege = kind === 'table' ? 'SELECT' : 'EXECUTE';
  const named = kind === 'table' ? 'to_regclass' : 'to_regprocedure';
  // Looking a name up in a schema without the right to is an error; the schema may be missing as well.
  const [row] = await read(`
    SELECT CASE WHEN (SELECT has_schema_privilege(n.oid, 'USAGE') FROM pg_namespace n WHERE n.nspname = '${schema}')
      THEN coalesce(has_${kind}_privilege(${named}('${object}'), '${privilege}'), false) ELSE false END AS yes`);
  return row?.yes === true;
}
