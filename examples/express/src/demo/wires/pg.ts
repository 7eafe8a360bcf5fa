import { pgWire, sqlStores } from '@medzen/sql';
import pg from 'pg';
import type { DemoDatabase } from '../demo-database.ts';
import { openServer } from './server.ts';

/** A pool of `pg`. */
export function openPg(): Promise<DemoDatabase> {
  return openServer({
    connect: async (service) => {
      const pool = new pg.Pool({ connectionString: service });
      pool.on('error', () => undefined); // an idle connection that was cut
      const root = pgWire(pool);
      return {
        parts: [{ what: 'the stores go through pg', value: 'a Pool' }],
        stores: sqlStores(root),
        transaction: async (work) => {
          const client = await pool.connect();
          try {
            await client.query('BEGIN');
            await work({
              stores: sqlStores(pgWire(client, { root })),
              addPatient: async (id, name) => {
                await client.query('INSERT INTO patient (id, name) VALUES ($1, $2)', [id, name]);
              },
            });
            await client.query('COMMIT');
          } catch (error) {
            await client.query('ROLLBACK');
            throw error;
          } finally {
            client.release();
          }
        },
        close: () => pool.end(),
      };
    },
  });
}
