import { PGlite, type Transaction } from '@electric-sql/pglite';
import type { Stores } from '@medzen/core';
import {
  installSql,
  neonWire,
  type PostgresJsClient,
  pgliteWire,
  pgWire,
  postgresJsWire,
  type SqlClient,
  sqlStores,
} from '@medzen/sql';
import { fakeClock, type HostTransaction, type StoreContext } from '@medzen/testing';
import { neon, neonConfig } from '@neondatabase/serverless';
import pg from 'pg';
import postgres from 'postgres';
import { runScript } from '../packages/sql/src/sql-client.ts';
import { neonStandIn } from './neon-stand-in.ts';
import { freshDatabase } from './postgres.ts';
import { severableProxy } from './severable-proxy.ts';

/** Makes the context of each contract case over one database, which is emptied in between. */
export interface SqlContexts {
  create(): Promise<StoreContext<keyof Stores>>;
  /** Ends the database. */
  close(): Promise<void>;
}

/** Over `pg` and the run's real Postgres, through a proxy that can be cut. Every capability. */
export async function pgContexts(): Promise<SqlContexts> {
  const db = await freshDatabase({ test: true });
  const url = new URL(db.url);
  const proxy = await severableProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const owner = await db.connect();
  return {
    async create() {
      const pool = new pg.Pool({ connectionString: url.href, max: 12 });
      pool.on('error', () => undefined); // an idle connection that was cut
      pool.on('connect', (client) => void client.on('error', () => undefined)); // one that is lent out
      const root = pgWire(pool);
      return {
        ...(await sharedContext(owner)),
        stores: sqlStores(root),
        async transaction() {
          const client = await pool.connect();
          await client.query('BEGIN');
          const end = async (how: string): Promise<void> => {
            await client.query(how);
            client.release();
          };
          return {
            stores: sqlStores(pgWire(client, { root })),
            commit: () => end('COMMIT'),
            rollback: () => end('ROLLBACK'),
          };
        },
        async outage() {
          proxy.sever();
          return async () => proxy.mend();
        },
        dispose: () => pool.end(),
      };
    },
    async close() {
      await db.drop();
      await proxy.close();
    },
  };
}

/** Over postgres.js and the run's real Postgres, through a proxy that can be cut. Every capability. */
export async function postgresJsContexts(): Promise<SqlContexts> {
  const db = await freshDatabase({ test: true });
  const url = new URL(db.url);
  const proxy = await severableProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const owner = await db.connect();
  return {
    async create() {
      const sql = postgres(url.href, { max: 12, onnotice: () => undefined, backoff: false });
      const root = postgresJsWire(sql);
      return {
        ...(await sharedContext(owner)),
        stores: sqlStores(root),
        async transaction() {
          const { tx, commit, rollback } = await openPostgresJs(sql);
          return { stores: sqlStores(postgresJsWire(tx, { root })), commit, rollback };
        },
        async outage() {
          proxy.sever();
          return async () => proxy.mend();
        },
        dispose: () => sql.end({ timeout: 5 }),
      };
    },
    async close() {
      await db.drop();
      await proxy.close();
    },
  };
}

/** Over Neon's HTTP driver and a stand-in of its endpoint (`neon-stand-in.ts`), which can be cut off. It takes part in no transaction. */
export async function neonContexts(): Promise<SqlContexts> {
  const db = await freshDatabase({ test: true });
  const endpoint = await neonStandIn();
  const proxy = await severableProxy({ host: '127.0.0.1', port: endpoint.port });
  neonConfig.fetchEndpoint = () => `http://127.0.0.1:${proxy.port}/sql`;
  const owner = await db.connect();
  return {
    create: async () => ({
      ...(await sharedContext(owner)),
      stores: sqlStores(neonWire(neon(db.url))),
      async outage() {
        proxy.sever();
        return async () => proxy.mend();
      },
    }),
    async close() {
      await proxy.close();
      await endpoint.close();
      await db.drop();
    },
  };
}

/** postgres.js hands a transaction to a callback; this holds the callback open until the host decides. */
export async function openPostgresJs(sql: postgres.Sql): Promise<{
  tx: PostgresJsClient;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}> {
  const undone = new Error('Rolled back by the host');
  const opened = Promise.withResolvers<PostgresJsClient>();
  const decided = Promise.withResolvers<void>();
  const done = sql.begin(async (tx) => {
    opened.resolve(tx);
    await decided.promise;
  });
  done.catch(opened.reject); // it could not begin
  return {
    tx: await opened.promise,
    async commit() {
      decided.resolve();
      await done;
    },
    async rollback() {
      decided.reject(undone);
      await done.catch((error: unknown) => {
        if (error !== undone) throw error;
      });
    },
  };
}

/** Over PGlite: one connection, so no `concurrency`. */
export async function pgliteContexts(): Promise<SqlContexts> {
  const db = await PGlite.create();
  await installSql(db, { test: true });
  const root = pgliteWire(db);
  return {
    create: async () => ({
      ...(await sharedContext(db)),
      stores: sqlStores(root),
      transaction: async () => {
        const { tx, commit, rollback } = await openTransaction(db);
        const stores: HostTransaction<keyof Stores>['stores'] = sqlStores(pgliteWire(tx, { root }));
        return { stores, commit, rollback };
      },
    }),
    close: () => db.close(),
  };
}

/** PGlite hands a transaction to a callback; this holds the callback open until the host decides. */
export async function openTransaction(db: PGlite): Promise<{
  tx: Transaction;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}> {
  const opened = Promise.withResolvers<Transaction>();
  const decided = Promise.withResolvers<'commit' | 'rollback'>();
  const done = db.transaction(async (tx) => {
    opened.resolve(tx);
    if ((await decided.promise) === 'rollback') await tx.rollback();
  });
  const end = async (how: 'commit' | 'rollback'): Promise<void> => {
    decided.resolve(how);
    await done;
  };
  return { tx: await opened.promise, commit: () => end('commit'), rollback: () => end('rollback') };
}

/** Everything that an owner of the database does: empties it, moves its clock, looks into it, damages it. */
export async function sharedContext(
  owner: SqlClient,
): Promise<
  Pick<
    StoreContext<keyof Stores>,
    'scope' | 'otherScope' | 'clock' | 'advance' | 'reader' | 'damage' | 'alterIdentity' | 'keepErasable'
  >
> {
  await empty(owner);
  const clock = fakeClock();
  const set = (): Promise<unknown> =>
    owner.query('SELECT medzen.set_test_clock($1, true)', [clock.now().toISOString()]);
  await set();
  return {
    scope: { tenant: 'clinic-a' },
    otherScope: { tenant: 'clinic-b' },
    clock,
    async advance(ms) {
      clock.advance(ms);
      await set();
    },
    reader: {
      async countEvents() {
        const { rows } = await owner.query('SELECT FROM medzen.audit_event');
        return rows.length;
      },
      async eventsFor(id) {
        const { rows } = await owner.query('SELECT body FROM medzen.audit_event WHERE id = $1', [id]);
        return rows.map((row) => Uint8Array.from((row as { body: Uint8Array }).body)); // one column of bytea
      },
    },
    // Without the event that keep_erasable writes: the cases count events.
    async keepErasable(kinds) {
      await owner.query('DELETE FROM medzen.erasable_kind');
      await owner.query('INSERT INTO medzen.erasable_kind SELECT unnest($1::text[]), medzen.now()', [[...kinds]]);
    },
    async alterIdentity(pseudonym, value) {
      await unguarded(owner, () =>
        owner.query('UPDATE medzen.erasable_identity SET value = $2 WHERE pseudonym = $1', [pseudonym, value]),
      );
    },
    async damage(id, body) {
      await unguarded(owner, () =>
        body === undefined
          ? owner.query('DELETE FROM medzen.audit_event WHERE id = $1', [id])
          : owner.query('UPDATE medzen.audit_event SET body = $2 WHERE id = $1', [id, body]),
      );
    },
  };
}

/** Tables that keep their rows between cases. */
const kept = ['migration', 'permission', 'test_clock', 'audit_head'];

async function empty(owner: SqlClient): Promise<void> {
  const { rows } = await owner.query(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = 'medzen'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> ALL ($1)`,
    [kept],
  );
  // One text, one round trip: a suite empties its database for every case.
  const deletes = rows.map((row) => `DELETE FROM medzen.${(row as { name: string }).name};`); // one column of text
  await runScript(
    owner,
    `SET session_replication_role = replica;
    ${deletes.join('\n')}
    UPDATE medzen.audit_head SET size = 0, root = sha256(''), checkpoint = NULL, pending_from = '0', server_started = NULL;
    SET session_replication_role = DEFAULT`,
  );
}

async function unguarded(owner: SqlClient, work: () => Promise<unknown>): Promise<void> {
  await owner.query('SET session_replication_role = replica');
  try {
    await work();
  } finally {
    await owner.query('SET session_replication_role = DEFAULT');
  }
}
