import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PostgresServer, startPostgres, startStandby } from '../../../test/start-postgres.ts';
import { examineSql } from './doctor.ts';
import { installSql, pgWire, sqlStores } from './index.ts';

let primary: PostgresServer;
let standby: PostgresServer;
let pool: pg.Pool;
beforeAll(async () => {
  primary = await startPostgres({ settings: ['wal_level=replica'] });
  const owner = new pg.Client(primary.url);
  await owner.connect();
  await installSql(owner);
  const [{ data } = { data: '' }] = (
    await owner.query<{ data: string }>("SELECT current_setting('data_directory') AS data")
  ).rows;
  standby = await startStandby({
    data,
    primary: `host=127.0.0.1 port=${new URL(primary.url).port} user=postgres`,
    around: async (copy) => {
      await owner.query("SELECT pg_backup_start('standby', true)");
      copy();
      const { rows } = await owner.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
      return rows[0]?.labelfile ?? '';
    },
  });
  await owner.end();
  pool = new pg.Pool({ connectionString: standby.url });
  pool.on('error', () => undefined); // the server is stopped before every idle connection is
}, 120_000);
afterAll(async () => {
  await pool.end();
  await standby.stop();
  await primary.stop();
});

test('the doctor says of a standby that it is one, and looks at the rest', async () => {
  const client = await pool.connect();
  const { findings } = await examineSql(client).finally(() => client.release());
  expect(findings.find(({ id }) => id === 'server.standby')).toMatchObject({
    severity: 'warning',
    message: expect.stringContaining('standby'),
    remedy: expect.stringContaining('primary'),
  });
});

test('what writes says that the database is read-only, whatever table it wants; what reads works', async () => {
  const stores = sqlStores(pgWire(pool));
  const readOnly = { code: 'store_unavailable', message: expect.stringContaining('standby') };
  const request = { key: 'k', rate: 1, periodMs: 1000, burst: 1, cost: 1 };
  await expect(stores.limits.consume({ tenant: 'a' }, [request])).rejects.toMatchObject(readOnly);
  await expect(stores.cursors.move('a', 0, 0)).rejects.toMatchObject(readOnly);
  expect(await stores.log.lag()).toEqual({ pending: 0, lost: 0, oldestMs: 0 });
  expect(await stores.audit.search({ tenant: 'a' }, {})).toEqual({ events: [] });
});
