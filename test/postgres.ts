import { createHash, randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { installSql } from '../packages/sql/src/index.ts';
import { migrations, testMigrations } from '../packages/sql/src/migrations.generated.ts';

/** A database of one test's own on the run's Postgres. */
export interface FreshDatabase {
  /** Of its superuser. */
  readonly url: string;
  /** Ten connections at most; opened on first use, closed by `drop`. */
  readonly pool: pg.Pool;
  /** A connection of its own, closed by `drop` unless the test ends it. */
  connect(): Promise<pg.Client>;
  /** A pool of another size or role, closed by `drop`. */
  open(config: pg.PoolConfig): pg.Pool;
  /** Closes everything and removes the database. */
  drop(): Promise<void>;
}

/** What is in it at first. */
export interface FreshDatabaseOptions {
  /** Whether the migrations are applied; true when absent. */
  readonly install?: boolean;
  /** Whether the clock can be moved with `set_test_clock`; false when absent. */
  readonly test?: boolean;
}

/**
 * A fresh database within about 150 ms: a copy of one that was migrated once for this text of the migrations.
 * `await db.drop()` in `afterAll`; a test that leaves a connection open fails nothing, it is cut.
 */
export async function freshDatabase(options: FreshDatabaseOptions = {}): Promise<FreshDatabase> {
  const url = new URL(inject('postgresUrl'));
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const template = options.install === false ? 'template1' : await migratedTemplate(url, options.test === true);
  await asAdmin(url, (admin) => admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  const own = databaseUrl(url, name);
  const closers: (() => Promise<void>)[] = [];
  const open = (config: pg.PoolConfig): pg.Pool => {
    const pool = new pg.Pool({ connectionString: own, ...config });
    pool.on('error', () => undefined); // cut off by drop; the queries that suffer say so themselves
    closers.push(() => pool.end());
    return pool;
  };
  return {
    url: own,
    pool: open({ max: 10 }),
    open,
    async connect() {
      const client = new pg.Client(own);
      client.on('error', () => undefined);
      await client.connect();
      closers.push(() => client.end());
      return client;
    },
    async drop() {
      await asAdmin(url, (admin) => admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
      await Promise.allSettled(closers.map((close) => close()));
    },
  };
}

/** Migrates a template once a run, whichever worker comes first; its name tells which text it was made from. */
async function migratedTemplate(url: URL, test: boolean): Promise<string> {
  const all = test ? [...migrations, ...testMigrations] : migrations;
  const digest = createHash('sha256').update(JSON.stringify(all.map(({ id, checksum }) => [id, checksum])));
  const name = `template_${digest.digest('hex').slice(0, 16)}`;
  await asAdmin(url, async (admin) => {
    await admin.query(`SELECT pg_advisory_lock(hashtext('${name}'))`);
    const { rowCount } = await admin.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount !== 0) return;
    await admin.query(`CREATE DATABASE ${name}_making`);
    const maker = new pg.Client(databaseUrl(url, `${name}_making`));
    await maker.connect();
    await installSql(maker, { test }).finally(() => maker.end());
    await admin.query(`ALTER DATABASE ${name}_making RENAME TO ${name}`);
  });
  return name;
}

async function asAdmin<T>(url: URL, work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client(url.href);
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

function databaseUrl(server: URL, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
