import { postgresJsWire, sqlStores } from '@medzen/sql';
import postgres from 'postgres';
import type { DemoDatabase } from '../demo-database.ts';
import { openServer } from './server.ts';

/** postgres.js. */
export function openPostgresJs(): Promise<DemoDatabase> {
  return openServer({
    connect: async (service) => {
      const sql = postgres(service);
      const root = postgresJsWire(sql);
      return {
        parts: [{ what: 'the stores go through postgres.js', value: 'postgres(url)' }],
        stores: sqlStores(root),
        transaction: async (work) => {
          await sql.begin(async (tx) => {
            await work({
              stores: sqlStores(postgresJsWire(tx, { root })),
              addPatient: async (id, name) => {
                await tx`INSERT INTO patient (id, name) VALUES (${id}, ${name})`;
              },
            });
          });
        },
        close: () => sql.end(),
      };
    },
  });
}
