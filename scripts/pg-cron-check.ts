/**
 * Runs the schema's jobs by a real pg_cron, on Debian's Postgres: they are put on its list once, run as the schema's owner in this
 * database and in another one, and are taken off again. `apt-get install postgresql-15-cron` brings both; a POSTGRES_HOME names another version.
 *
 *   node scripts/pg-cron-check.ts
 */
import { strictEqual as equal, deepStrictEqual as same } from 'node:assert';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { examineSql, type Finding } from '../packages/sql/src/doctor.ts';
import { installSql } from '../packages/sql/src/index.ts';
import { startPostgres } from '../test/start-postgres.ts';

const home: string = process.env.POSTGRES_HOME ?? '/usr/lib/postgresql/15';
if (!existsSync(`${home}/bin/initdb`) || !existsSync(`${home}/lib/pg_cron.so`)) {
  console.error(`${home} has no Postgres with pg_cron: apt-get install postgresql-15 postgresql-15-cron`);
  console.log('0 passed, 1 failed');
  process.exit(1);
}
process.env.POSTGRES_HOME = home;

const server = await startPostgres({
  settings: ['shared_preload_libraries=pg_cron', 'cron.database_name=postgres', 'cron.host=127.0.0.1'],
});
const clients: pg.Client[] = [];

/** A connection to a database of the server, as a role. */
async function connect(database: string, role = 'postgres'): Promise<pg.Client> {
  const url = new URL(server.url);
  url.pathname = `/${database}`;
  url.username = role;
  const client = new pg.Client(url.href);
  await client.connect();
  clients.push(client);
  return client;
}

/** The rows of a query, as arrays. */
async function rows(client: pg.Client, text: string): Promise<unknown[][]> {
  return (await client.query<unknown[]>({ text, rowMode: 'array' })).rows;
}

let passed = 0;
let failed = 0;
async function check(title: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    passed += 1;
    console.log(`pass  ${title}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${title}\n      ${error instanceof Error ? error.message : String(error)}`);
  }
}

const list = "SELECT jobname, schedule, database, username FROM cron.job WHERE jobname <> 'of_the_host' ORDER BY 1, 3";

try {
  const admin = await connect('postgres');
  await admin.query('CREATE ROLE keeper LOGIN');
  await admin.query('GRANT CREATE ON DATABASE postgres TO keeper');
  await admin.query('CREATE DATABASE clinic OWNER keeper');
  const keeper = await connect('postgres', 'keeper');
  const clinic = await connect('clinic', 'keeper');
  await installSql(keeper);
  await installSql(clinic, { schema: 'clinic_log' });

  await check('where it is not installed, it says what to do', async () => {
    await keeper.query('SELECT * FROM medzen.schedule_jobs()').then(
      () => equal('nothing refused', 'refused'),
      (error: { code?: string; message: string }) => {
        equal(error.code, 'MZ002');
        equal(error.message.includes('CREATE EXTENSION pg_cron'), true, error.message);
      },
    );
  });

  await admin.query('CREATE EXTENSION pg_cron');
  await admin.query("SELECT cron.schedule('of_the_host', '0 0 1 1 *', 'SELECT 1')");
  const { rows: version } = await admin.query("SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'");
  console.log(`pg_cron ${version[0]?.extversion}`);

  await check('a superuser puts the jobs on the list, and they will run as the owner', async () => {
    same(await rows(admin, 'SELECT * FROM medzen.schedule_jobs()'), [
      ['medzen_cleanup_rate_limits', 'added'],
      ['medzen_make_audit_partitions', 'added'],
    ]);
    same(await rows(admin, list), [
      ['medzen_cleanup_rate_limits', '7 * * * *', 'postgres', 'keeper'],
      ['medzen_make_audit_partitions', '23 0 * * *', 'postgres', 'keeper'],
    ]);
  });

  await check('a second call changes nothing, by the owner either', async () => {
    await admin.query('GRANT USAGE ON SCHEMA cron TO keeper');
    const before = await rows(admin, 'SELECT c::text FROM cron.job c ORDER BY jobid');
    for (const client of [admin, keeper]) {
      const changes = await rows(client, 'SELECT DISTINCT change FROM medzen.schedule_jobs()');
      same(changes, [['unchanged']]);
    }
    same(await rows(admin, 'SELECT c::text FROM cron.job c ORDER BY jobid'), before);
  });

  await check('the doctor names what is not on the list, and its remedy puts it there', async () => {
    await keeper.query("SELECT cron.unschedule('medzen_cleanup_rate_limits')");
    const ofJobs = async (): Promise<readonly Finding[]> =>
      (await examineSql(keeper)).findings.filter(({ id }) => id.startsWith('jobs.'));
    const found = await ofJobs();
    same(
      found.map(({ id, message }) => [id, message]),
      [['jobs.unscheduled', 'pg_cron does not run cleanup_rate_limits']],
    );
    await keeper.query(found[0]?.remedy ?? '');
    same(await ofJobs(), []);
  });

  await check('on this Postgres the definitions are those of the baseline, which was made on a later one', async () => {
    for (const [client, options] of [
      [keeper, {}],
      [clinic, { schema: 'clinic_log' }],
    ] as const) {
      const { findings, unexamined } = await examineSql(client, options);
      same([findings.filter(({ id }) => /^(drift|grant|rls|trigger)\./.test(id)), unexamined], [[], []]);
    }
  });

  await check('a changed timetable is updated in place; a job that is switched off goes, and comes back', async () => {
    const ids = "SELECT jobid FROM cron.job WHERE jobname = 'medzen_cleanup_rate_limits'";
    const before = await rows(admin, ids);
    await keeper.query("UPDATE medzen.job SET schedule = '* * * * *' WHERE name = 'cleanup_rate_limits'");
    await keeper.query("UPDATE medzen.job SET enabled = false WHERE name = 'make_audit_partitions'");
    same(await rows(keeper, 'SELECT * FROM medzen.schedule_jobs()'), [
      ['medzen_cleanup_rate_limits', 'updated'],
      ['medzen_make_audit_partitions', 'removed'],
    ]);
    same(await rows(admin, ids), before);
    await keeper.query("UPDATE medzen.job SET enabled = true WHERE name = 'make_audit_partitions'");
    same(await rows(keeper, "SELECT * FROM medzen.schedule_jobs() WHERE change = 'added'"), [
      ['medzen_make_audit_partitions', 'added'],
    ]);
  });

  await check('nobody else puts jobs on the list', async () => {
    await admin.query(
      'CREATE ROLE visitor LOGIN; GRANT USAGE ON SCHEMA medzen, cron TO visitor; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA medzen TO visitor',
    );
    const visitor = await connect('postgres', 'visitor');
    await visitor.query('SELECT * FROM medzen.schedule_jobs()').then(
      () => equal('nothing refused', 'refused'),
      (error: { code?: string }) => equal(error.code, 'MZ004'),
    );
  });

  await check(
    'from another database, under another name of the schema: the statements for the one where pg_cron lives',
    async () => {
      await clinic.query('SELECT * FROM clinic_log.schedule_jobs()').then(
        () => equal('nothing refused', 'refused'),
        (error: Error) => equal(error.message.includes('clinic_log.job_statements()'), true, error.message),
      );
      await clinic.query("UPDATE clinic_log.job SET schedule = '* * * * *' WHERE name = 'cleanup_rate_limits'");
      // Twice: the second time changes nothing.
      for (const _ of [1, 2])
        for (const [statement] of await rows(clinic, 'SELECT statement FROM clinic_log.job_statements()'))
          await admin.query(String(statement));
      same(await rows(admin, `SELECT jobname, schedule, username FROM cron.job WHERE database = 'clinic' ORDER BY 1`), [
        ['clinic_log_cleanup_rate_limits_in_clinic', '* * * * *', 'keeper'],
        ['clinic_log_make_audit_partitions_in_clinic', '23 0 * * *', 'keeper'],
      ]);
    },
  );

  await check('a job really runs, in both databases, as the owner', async () => {
    await keeper.query("INSERT INTO medzen.rate_limit (tenant, key, tat) VALUES ('default', 'spent', 1)");
    await clinic.query("INSERT INTO clinic_log.rate_limit (tenant, key, tat) VALUES ('default', 'spent', 1)");
    const wanted = [
      ['clinic', 'keeper', 'succeeded'],
      ['postgres', 'keeper', 'succeeded'],
    ];
    // pg_cron's finest timetable is a minute; the deadline is for a machine that is busy.
    const deadline = Date.now() + 150_000;
    let seen: unknown[][] = [];
    while (Date.now() < deadline && seen.length < wanted.length) {
      await sleep(500);
      seen = await rows(
        admin,
        "SELECT DISTINCT database, username, status FROM cron.job_run_details WHERE command LIKE '%cleanup_rate_limits%' AND status NOT IN ('starting', 'running', 'sending', 'connecting') ORDER BY 1",
      );
    }
    same(seen, wanted);
    same(await rows(keeper, 'SELECT key FROM medzen.rate_limit'), []);
    same(await rows(clinic, 'SELECT key FROM clinic_log.rate_limit'), []);
  });

  await check("they are taken off the list, and nobody else's", async () => {
    same(await rows(keeper, 'SELECT scheduled_job FROM medzen.unschedule_jobs()'), [
      ['medzen_cleanup_rate_limits'],
      ['medzen_make_audit_partitions'],
    ]);
    same(await rows(keeper, 'SELECT scheduled_job FROM medzen.unschedule_jobs()'), []);
    for (const [statement] of await rows(clinic, 'SELECT statement FROM clinic_log.job_statements(true)'))
      await admin.query(String(statement));
    same(await rows(admin, 'SELECT jobname FROM cron.job'), [['of_the_host']]);
  });
} finally {
  await Promise.all(clients.map((client) => client.end()));
  await server.stop();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
