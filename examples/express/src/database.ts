import { PGlite } from '@electric-sql/pglite';
import type { Stores } from '@medzen/core';
import { pgliteWire, sqlStores } from '@medzen/sql';

/** An open database, and the stores in it. */
export interface Database {
  /** The owner's way in, past the stores: for migrations. */
  readonly db: PGlite;
  readonly stores: Stores;
  close(): Promise<void>;
}

/**
 * The embedded Postgres. With a server of your own this file is all that changes: `sqlStores(pgWire(new pg.Pool()))`.
 *
 * @param dir - where it lives; in memory when absent
 */
export async function openDatabase(dir?: string): Promise<Database> {
  const db = dir === undefined ? await PGlite.create() : await PGlite.create(dir);
  return { db, stores: sqlStores(pgliteWire(db)), close: () => db.close() };
}
