import { PGlite } from '@electric-sql/pglite';
import { installSql, pgliteWire, sqlStores } from '@medzen/sql';
import { type DemoDatabase, hostTable } from '../demo-database.ts';

/** Postgres in this process, in memory. */
export async function openPglite(): Promise<DemoDatabase> {
  const db = await PGlite.create();
  // The clock that can be moved is a migration of its own, which no database in service has.
  const applied = await installSql(db, { test: true });
  await db.exec(hostTable);
  const root = pgliteWire(db);
  return {
    kind: 'PGlite, in-process',
    owner: db,
    applied,
    parts: [],
    stores: sqlStores(root),
    transaction: (work) =>
      db.transaction(async (tx) => {
        await work({
          stores: sqlStores(pgliteWire(tx, { root })),
          addPatient: async (id, name) => {
            await tx.query('INSERT INTO patient (id, name) VALUES ($1, $2)', [id, name]);
          },
        });
      }),
    close: () => db.close(),
  };
}
