import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../../test/start-postgres.ts';

const exec = promisify(execFile);

/** A Postgres of its own, and Debian's tools before it. */
export interface Cluster {
  /** A connection to a database, as a role; closed by `stop`. */
  connect(database: string, role?: string): Promise<pg.Client>;
  createDatabase(name: string): Promise<void>;
  /** `pg_dump` in its custom format, into a file. */
  dump(database: string, file: string): Promise<void>;
  /** `pg_restore` of such a file into an empty database, which stops at the first error. */
  restore(file: string, database: string): Promise<void>;
  /** The roles of the whole cluster, as SQL. */
  dumpRoles(): Promise<string>;
  restoreRoles(sql: string): Promise<void>;
  /** What `pg_dump` writes of a part of a database: definitions with their grants and policies, or rows and sequences. */
  text(database: string, part: '--schema-only' | '--data-only'): Promise<string>;
  /** The next transaction's id is at least this much greater. */
  burnIds(count: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a cluster.
 *
 * @param home - of the version, with `pg_dump`, `pg_dumpall`, `pg_restore` and `psql` in its `bin`
 */
export async function startCluster(home: string): Promise<Cluster> {
  const server: PostgresServer = await startPostgres({ home });
  const opened: pg.Client[] = [];
  const url = (database: string, role = 'postgres'): string => {
    const own = new URL(server.url);
    own.pathname = `/${database}`;
    own.username = role;
    return own.href;
  };
  const tool = async (name: string, ...args: readonly string[]): Promise<string> => {
    const { stdout } = await exec(join(home, 'bin', name), args, { maxBuffer: 1 << 28 });
    return stdout;
  };
  const connect: Cluster['connect'] = async (database, role) => {
    const client = new pg.Client(url(database, role));
    client.on('error', () => undefined); // cut off by stop
    await client.connect();
    opened.push(client);
    return client;
  };
  const admin = await connect('postgres');
  return {
    connect,
    createDatabase: async (name) => void (await admin.query(`CREATE DATABASE ${name}`)),
    dump: async (database, file) => void (await tool('pg_dump', '--format=custom', `--file=${file}`, url(database))),
    restore: async (file, database) =>
      void (await tool('pg_restore', '--exit-on-error', `--dbname=${url(database)}`, file)),
    dumpRoles: async () => plain(await tool('pg_dumpall', '--roles-only', `--dbname=${url('postgres')}`)),
    // The superuser is there already, as in any cluster.
    restoreRoles: async (sql) => void (await admin.query(sql.replace(/^CREATE ROLE postgres;$/m, ''))),
    text: async (database, part) => plain(await tool('pg_dump', part, url(database))),
    burnIds: async (count) =>
      void (await admin.query(
        `DO $$ BEGIN FOR i IN 1..${count} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`,
      )),
    async stop() {
      await Promise.allSettled(opened.map((client) => client.end()));
      await server.stop();
    },
  };
}

/** Without psql's own commands, which carry a word made up anew for each dump. */
function plain(text: string): string {
  return text.replaceAll(/^\\(?:un)?restrict .*$/gm, '');
}
