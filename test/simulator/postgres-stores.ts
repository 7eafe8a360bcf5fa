import { installSql, pgWire, sqlStores } from '@medzen/sql';
import pg from 'pg';
import type { WorldStores } from './world.ts';

/** A database of this process, for one world after the other; each world has a tenant of its own in it. */
export interface PostgresWorlds {
  open(): Promise<WorldStores>;
  close(): Promise<void>;
}

/**
 * @param server - URL of the superuser's database on a server with the roles of the migrations' hosts
 * @param serial - tells this database from those of others
 */
export async function postgresStores(server: string, serial: number): Promise<PostgresWorlds> {
  const name = `sim_${process.pid}_${serial}`;
  const admin = async (sql: string): Promise<void> => {
    const client = new pg.Client(server);
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  await admin(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const owner = new pg.Client(url.href);
  await owner.connect();
  await installSql(owner, { test: true });
  // No timers of its own: they would be on the clock of the world.
  const pool = new pg.Pool({ connectionString: url.href, max: 4, idleTimeoutMillis: 0, connectionTimeoutMillis: 0 });
  pool.on('error', () => undefined); // cut off when the database is dropped
  let shown = 0;
  return {
    open: async () => ({
      stores: sqlStores(pgWire(pool)),
      countEvents: async () => {
        const { rows } = await owner.query<{ n: number }>('SELECT count(*)::int AS n FROM medzen.audit_event');
        return rows[0]?.n ?? 0;
      },
      tick: async (now) => {
        if (now.getTime() === shown) return;
        shown = now.getTime();
        await owner.query('SELECT medzen.set_test_clock($1, true)', [now.toISOString()]);
      },
    }),
    close: async () => {
      await pool.end();
      await owner.end();
      await admin(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}
