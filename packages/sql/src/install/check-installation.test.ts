import { memoryStores } from '@medzen/adapters-local';
import { fakeClock } from '@medzen/testing';
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { severableProxy } from '../../../../test/severable-proxy.ts';
import { checkInstallation, type InstallationReport, pgWire, postgresJsWire, sqlStores } from '../index.ts';

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  await db.pool.query(`DO $$ BEGIN CREATE ROLE check_service LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
}, 120_000);
afterAll(async () => {
  await db.pool.query('DROP OWNED BY check_service');
  await db.drop();
});

/** As a service logs in: a member of one role, over a server that waits for the disk. */
function service(of: FreshDatabase = db, role = 'medzen_app'): pg.Pool {
  return of.open({ options: `-c role=${role} -c synchronous_commit=on` });
}

/** The tests' own server runs with fsync off, which is found each time. */
const idsOf = ({ findings }: InstallationReport): readonly string[] =>
  findings.map(({ id }) => id).filter((id) => id !== 'server.undurable');

test('a service as it should be: nothing but the fsync that these tests leave off', async () => {
  const report = await checkInstallation(sqlStores(pgWire(service())));
  expect(idsOf(report)).toEqual([]);
  expect(report.ok).toBe(true);
  expect(report.findings).toMatchObject([{ id: 'server.undurable', severity: 'warning' }]);
});

test('stores copied by spreading are checked too; those without a database say so', async () => {
  const mixed = { ...sqlStores(pgWire(service())), limits: memoryStores().limits };
  expect((await checkInstallation(mixed)).ok).toBe(true);
  await expect(checkInstallation(memoryStores())).rejects.toMatchObject({ code: 'invalid_configuration' });
});

test('every fault at once: migrations, rights, clocks, the test clock, the pool, the login', async () => {
  const bad = await freshDatabase({ test: true });
  try {
    await bad.pool.query("DELETE FROM medzen.migration WHERE id LIKE '000018%'");
    await bad.pool.query("UPDATE medzen.migration SET checksum = 'x' WHERE id LIKE '000004%'");
    await bad.pool.query('REVOKE EXECUTE ON FUNCTION medzen.append_events FROM medzen_app');
    const clock = fakeClock('2020-01-01T00:00:00.000Z');
    const wire = pgWire(service(bad), { rootConnections: 0 });
    const report = await checkInstallation(wire, { clock });
    expect(report.ok).toBe(false);
    expect(idsOf(report).toSorted()).toEqual(
      ['clock.skew', 'clock.test', 'ledger.drifted', 'ledger.missing', 'pool.shared', 'privilege.missing'].toSorted(),
    );
    const found = Object.fromEntries(report.findings.map((finding) => [finding.id, finding]));
    expect(found['privilege.missing']?.message).toContain('append_events');
    expect(found['clock.skew']).toMatchObject({ severity: 'critical', message: expect.stringContaining('ahead') });
    expect(found['ledger.missing']?.object).toMatch(/^000018/);
    for (const { remedy } of report.findings) expect(remedy).toBeTruthy();
    const severities = report.findings.map(({ severity }) => severity);
    expect(severities.lastIndexOf('critical')).toBeLessThan(severities.indexOf('warning'));
  } finally {
    await bad.drop();
  }
});

test('what another role needs is not what the service has', async () => {
  const wire = pgWire(service());
  expect(idsOf(await checkInstallation(wire, { needs: ['app', 'sequencer'] }))).toEqual(['privilege.missing']);
  expect(idsOf(await checkInstallation(pgWire(service(db, 'medzen_sequencer')), { needs: ['sequencer'] }))).toEqual([]);
});

test('a login without any Medzen role, the owner, and an old clock of a second or two', async () => {
  const bare = await checkInstallation(pgWire(service(db, 'check_service')));
  expect(bare).toMatchObject({
    ok: false,
    findings: [{ id: 'configuration', message: expect.stringContaining('grant') }],
  });
  const owner = await checkInstallation(pgWire(db.pool));
  expect(idsOf(owner)).toEqual(['role.owner']);
  const near = { now: () => new Date(Date.now() - 2000) };
  expect(idsOf(await checkInstallation(pgWire(service()), { clock: near }))).toEqual([]);
  expect(idsOf(await checkInstallation(pgWire(service()), { clock: near, maxSkewMs: 500 }))).toEqual(['clock.skew']);
});

test('no schema, no server, a server that hangs, a refused login: each a finding, and no address in it', async () => {
  const empty = await freshDatabase({ install: false });
  expect(await checkInstallation(pgWire(empty.pool))).toMatchObject({
    ok: false,
    findings: [{ id: 'ledger.missing' }],
  });
  await empty.drop();

  const nowhere = await checkInstallation(
    pgWire(db.open({ connectionString: 'postgres://someone:secret@127.0.0.1:1/x' })),
  );
  expect(nowhere).toMatchObject({ ok: false, findings: [{ id: 'unreachable' }] });
  expect(JSON.stringify(nowhere)).not.toMatch(/secret|someone|127\.0/);

  const stranger = db.open({ user: 'nobody_at_all', connectionString: undefined, ...partsOf(db.url) });
  const refused = await checkInstallation(pgWire(stranger));
  expect(refused).toMatchObject({
    ok: false,
    findings: [{ id: 'configuration', message: expect.stringContaining('login') }],
  });

  const url = new URL(db.url);
  const proxy = await severableProxy({ host: url.hostname, port: Number(url.port) });
  proxy.freeze();
  url.port = String(proxy.port);
  const pool = new pg.Pool({ connectionString: url.href });
  pool.on('error', () => undefined);
  const hung = await checkInstallation(pgWire(pool, { deadlineMs: 100 }));
  expect(hung.ok).toBe(false);
  expect(idsOf(hung)).toEqual(['unreachable']);
  await proxy.close();
  await pool.end();
});

test('a pool whose transactions could wait for themselves is told on each wire that can tell', async () => {
  const sql = postgres(db.url, { max: 2 });
  const spare = postgres(db.url, { max: 1 });
  expect(idsOf(await checkInstallation(postgresJsWire(sql)))).toContain('pool.shared');
  expect(idsOf(await checkInstallation(postgresJsWire(sql, { rootPool: spare })))).not.toContain('pool.shared');
  await Promise.all([sql.end(), spare.end()]);
});

test.each([{ needs: [] }, { needs: ['root'] }, { maxSkewMs: 0 }, { maxSkewMs: Number.NaN }])(
  '%o is refused, naming the option',
  async (options) => {
    const wrong = options as Parameters<typeof checkInstallation>[1]; // as plain JavaScript may give it
    await expect(checkInstallation(pgWire(db.pool), wrong)).rejects.toThrow(
      new RegExp(`^${Object.keys(options)[0]} must`),
    );
  },
);

function partsOf(url: string): pg.PoolConfig {
  const { hostname, port, pathname } = new URL(url);
  return { host: hostname, port: Number(port), database: pathname.slice(1) };
}
