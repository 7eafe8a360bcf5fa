import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryStores } from '@medzen/adapters-local';
import { type LogLag, MedzenError, type SealedEvent, silentLogger } from '@medzen/core';
import { installSql, pgWire, sqlStores } from '@medzen/sql';
import { createSamples, fakeClock } from '@medzen/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { createLagWatch, type LagReport } from './lag-watch.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());

const scope = { tenant: 'default' };

/** A watch over lags that are given one by one, ten seconds apart, and what it said. */
async function watched(lags: readonly (LogLag | Error)[]): Promise<readonly string[]> {
  const clock = fakeClock();
  const said: string[] = [];
  const left = [...lags];
  const lag = async (): Promise<LogLag> => {
    const next = left.shift();
    if (next === undefined || next instanceof Error) throw next;
    return next;
  };
  const logger = { ...silentLogger, error: () => void said.push('error'), warn: () => void said.push('warn') };
  const onLag = ({ status }: LagReport): void => void said.push(status);
  const look = createLagWatch({ store: { lag }, clock, logger, boundMs: 60_000, onLag });
  for (const _ of lags) {
    await look();
    clock.advance(5_000);
    await look(); // too soon: nobody is asked
    clock.advance(5_000);
  }
  return said;
}

const lagOf = (oldestMs: number, openMs?: number): LogLag => ({
  ...{ pending: 1, lost: 0, oldestMs },
  ...(openMs !== undefined && { openWriter: { prepared: true, openMs } }),
});

test('says once that the log is late, and once that it is not any longer', async () => {
  const late = lagOf(60_001);
  expect(await watched([lagOf(60_000), late, late, lagOf(1), lagOf(2), late])).toEqual([
    ...['error', 'late'],
    'caught-up',
    ...['error', 'late'],
  ]);
});

test('a transaction that holds events back makes the log late, though nothing seems to wait', async () => {
  expect(await watched([lagOf(0, 59_000), lagOf(0, 61_000), lagOf(0)])).toEqual(['error', 'late', 'caught-up']);
});

test('a store that is down costs nobody a tick', async () => {
  expect(await watched([new MedzenError('store_unavailable', 'Down'), lagOf(70_000)])).toEqual([
    'warn',
    'error',
    'late',
  ]);
});

test('a sequencer tells how late it found the log', async () => {
  const clock = fakeClock();
  const stores = memoryStores({ clock });
  const reports: LagReport[] = [];
  const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });
  const sequencer = createSequencer({
    memory: 'unguarded',
    ...{ store: stores.log, signer, clock, batchSize: 1 },
    onLag: (report) => reports.push(report),
  });
  const samples = createSamples({ scope, clock });
  await stores.audit.append(scope, [samples.event(), samples.event()]);
  clock.advance(61_000);
  await sequencer.tick();
  clock.advance(10_000);
  await sequencer.tick();
  expect(reports.map(({ status, lag }) => [status, lag.pending])).toEqual([
    ['late', 1],
    ['caught-up', 0],
  ]);
});

test('names the oldest transaction that has written events and is open, prepared or not, and nothing of what it does', async () => {
  const { log } = sqlStores(pgWire(db.pool));
  expect(await log.lag()).toEqual({ pending: 0, lost: 0, oldestMs: 0 });
  const samples = createSamples({ scope });
  const [first, second, bystander] = [await db.connect(), await db.connect(), await db.connect()];
  const pidOf = async (client: typeof first): Promise<number> =>
    (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0;
  await bystander.query('BEGIN; CREATE TABLE of_the_host (id int)'); // writes, and holds nothing of ours back
  for (const client of [first, second]) {
    await client.query('BEGIN');
    await sqlStores(pgWire(client, { root: pgWire(db.pool) })).audit.append(scope, [samples.event()]);
    await sleep(5);
  }
  const { openWriter, ...rest } = await log.lag();
  expect(rest).toEqual({ pending: 0, lost: 0, oldestMs: 0 });
  expect(openWriter).toEqual({
    ...{ prepared: false, pid: await pidOf(first) },
    since: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    openMs: expect.any(Number),
  });
  await first.query("PREPARE TRANSACTION 'of-the-host'");
  expect((await log.lag()).openWriter).toMatchObject({ prepared: true, since: expect.any(String) });
  expect((await log.lag()).openWriter).not.toHaveProperty('pid');
  await first.query("ROLLBACK PREPARED 'of-the-host'");
  expect((await log.lag()).openWriter).toMatchObject({ prepared: false, pid: await pidOf(second) });
  await second.query('COMMIT');
  expect(await log.lag()).toMatchObject({ pending: 1 });
  expect(await log.lag()).not.toHaveProperty('openWriter');
  await bystander.query('ROLLBACK');
});

test('names the oldest transaction of the whole server, in any database, once it has been open for a minute', async () => {
  const other = await freshDatabase({ install: false });
  const elsewhere = await other.connect();
  const name = `of-another-${randomUUID()}`;
  await elsewhere.query(`BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION '${name}'`);
  try {
    const { log } = sqlStores(pgWire(db.pool));
    expect(await log.lag()).not.toHaveProperty('oldestTransaction'); // not for long yet
    // The minute is Postgres's own: what is asked of it here is who has been open for no time at all.
    const { rows } = await db.pool.query(
      "SELECT pid, prepared, elsewhere, since <= clock_timestamp() AS since FROM medzen.oldest_transaction(interval '0')",
    );
    expect(rows).toHaveLength(1);
    const [text = ''] = await definition('medzen.audit_lag()');
    await db.pool.query(text.replace("'00:01:00'", "'00:00:00'").replace("'1 minute'", "'0 s'"));
    const { oldestTransaction } = await log.lag();
    expect(oldestTransaction).toMatchObject({ since: expect.any(String), openMs: expect.any(Number) });
    await db.pool.query(text);
  } finally {
    await elsewhere.query(`ROLLBACK PREPARED '${name}'`);
    await other.drop();
  }
});

test('counts up to ten thousand events, and says that there are more', async () => {
  const { log, audit } = sqlStores(pgWire(db.pool));
  const samples = createSamples({ scope });
  const batch = (): SealedEvent[] => Array.from({ length: 1000 }, () => samples.event());
  const before = (await log.lag()).pending;
  for (let events = before; events + 1000 <= 10_000; events += 1000) await audit.append(scope, batch());
  expect(await log.lag()).not.toHaveProperty('more');
  await audit.append(scope, batch());
  expect(await log.lag()).toMatchObject({ pending: 10_000, more: true, lost: 0 });
});

async function definition(of: string): Promise<readonly string[]> {
  const { rows } = await db.pool.query<{ text: string }>('SELECT pg_get_functiondef($1::regprocedure) AS text', [of]);
  return rows.map(({ text }) => text);
}

test('an owner who may not see since when others are at it is told who, and says so', async () => {
  const bare = await freshDatabase({ install: false });
  const role = `owner_${randomUUID().slice(0, 8)}`;
  try {
    const { rows } = await bare.pool.query<{ name: string }>('SELECT current_database() AS name');
    await bare.pool.query(`CREATE ROLE ${role} LOGIN; GRANT CREATE ON DATABASE ${rows[0]?.name} TO ${role}`);
    const url = new URL(bare.url);
    url.username = role;
    const owners = bare.open({ connectionString: url.href });
    await installSql(owners);
    const other = await bare.connect();
    await other.query('BEGIN');
    const { audit } = sqlStores(pgWire(other, { root: pgWire(bare.pool) }));
    await audit.append(scope, [createSamples({ scope }).event()]);
    const { log } = sqlStores(pgWire(owners));
    expect((await log.lag()).openWriter).toEqual({ prepared: false, pid: expect.any(Number) });
    await bare.pool.query(`GRANT pg_read_all_stats TO ${role}`);
    expect((await log.lag()).openWriter).toMatchObject({ since: expect.any(String), openMs: expect.any(Number) });
    await other.query('ROLLBACK');
    await bare.pool.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  } finally {
    await bare.drop();
  }
});
