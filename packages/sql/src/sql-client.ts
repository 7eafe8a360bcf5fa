import { MedzenError } from '@medzen/core';

/**
 * What installing and checking ask of a driver: a `pg` Pool or Client, or a PGlite. Several statements in one text run as
 * one transaction in all of them (the simple query protocol).
 */
export interface SqlClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
  /** PGlite's way to run several statements. */
  exec?(text: string): Promise<unknown>;
}

/** Runs a script in one transaction. */
export async function runScript(client: SqlClient, script: string): Promise<void> {
  if (client.exec === undefined) await client.query(script);
  else await client.exec(script);
}

/** The texts in one column of a query's rows. */
export async function readTexts(client: SqlClient, sql: string): Promise<readonly string[]> {
  const { rows } = await client.query(sql);
  return rows.map((row) => {
    const [cell] = typeof row === 'object' && row !== null ? Object.values(row) : [];
    if (typeof cell !== 'string')
      throw new MedzenError('internal', 'The database answered with something else than text');
    return cell;
  });
}
