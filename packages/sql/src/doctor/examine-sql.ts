import { compareLedger, type LedgerRow } from '../ledger.ts';
import { migrations, testMigrations } from '../migrations.generated.ts';
import { checkedSchema, underSchema } from '../schema-name.ts';
import type { SqlClient } from '../sql-client.ts';
import { fromSqlError } from '../sqlstate.ts';
import { readCatalog } from './catalog.ts';
import { examineDefinitions } from './definitions.ts';
import { examineEvidence } from './evidence.ts';
import { type Examination, type Examiner, may, reader } from './examination.ts';
import { examineExposure } from './exposure.ts';
import type { DoctorReport, Finding, Severity } from './finding.ts';
import { examineGrants } from './grants.ts';
import { examineJobs } from './jobs.ts';
import { ledgerFindings } from './ledger-state.ts';
import { examineLog } from './log-state.ts';
import { examineProtections } from './protections.ts';
import { examineRoles, membersOf } from './roles.ts';
import { examineTestClock } from './test-clock.ts';

const always: readonly Examiner[] = [examineTestClock, examineRoles, examineProtections, examineExposure];
/** Those that compare with what this version's migrations give, or call what they made. */
const whenCurrent: readonly Examiner[] = [examineGrants, examineDefinitions, examineLog, examineEvidence, examineJobs];

const gravity: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

/**
 * Looks at an installation and says what is wrong or dangerous, and what to do about each. In one read-only transaction that is rolled
 * back: it changes nothing.
 *
 * Not compared: sequences, storage and statistics, comments, indexes that the host has added, and the order of columns.
 *
 * @param client - one connection (a `pg` Client, a PGlite; not a Pool) outside any transaction, best of the schema's owner: what its role
 * may not see is listed as unexamined
 * @param options - name of the schema; `medzen` when absent
 * @throws MedzenError `store_unavailable`, `invalid_configuration`
 * @example
 * ```ts
 * import { examineSql } from '@medzen/sql/doctor';
 * import pg from 'pg';
 * const client = new pg.Client();
 * await client.connect();
 * const { findings } = await examineSql(client);
 * const urgent = findings.filter(({ severity }) => severity === 'critical');
 * ```
 */
export async function examineSql(client: SqlClient, options: { readonly schema?: string } = {}): Promise<DoctorReport> {
  const schema = checkedSchema(options.schema ?? 'medzen');
  try {
    await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    try {
      await client.query(
        "SELECT set_config('search_path', 'pg_catalog', true), set_config('lock_timeout', '5s', true), set_config('statement_timeout', '60s', true)",
      );
      return await examine(client, schema);
    } finally {
      await client.query('ROLLBACK');
    }
  } catch (error) {
    throw fromSqlError(error, 'doctor');
  }
}

async function examine(client: SqlClient, schema: string): Promise<DoctorReport> {
  const read = reader(client, schema);
  const unexamined: string[] = [];
  const [server] = await read(`
    SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
      pg_is_in_recovery() AS standby,
      (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'medzen') AS owner`);
  const owner = typeof server?.owner === 'string' ? server.owner : undefined;
  const facts = {
    serverVersion: String(server?.version),
    schema,
    ...(owner === undefined ? {} : { owner }),
    members: owner === undefined ? {} : await membersOf({ read }),
  };
  const old: Finding[] =
    Number(server?.number) >= 150_000
      ? []
      : [
          {
            id: 'server.old',
            severity: 'critical',
            object: `Postgres ${facts.serverVersion}`,
            message: 'The migrations need Postgres 15 or later',
            remedy: 'Upgrade the server',
          },
        ];
  const standby = server?.standby === true;
  if (standby)
    old.push({
      id: 'server.standby',
      severity: 'warning',
      object: 'the server',
      message: 'It is a standby: the log can be read and verified here, but nothing can be written, limits included',
      remedy: 'Connect services to the primary. Run the doctor there too: what only a primary has was not looked at',
    });
  if (owner === undefined) {
    const remedy = 'npx medzen-sql add --target supabase|prisma|psql, and apply what it writes';
    const absent: Finding = {
      id: 'schema.missing',
      severity: 'critical',
      object: schema,
      message: `There is no schema ${schema}`,
      remedy,
    };
    return { findings: [...old, absent], unexamined, facts };
  }

  const ledger = (await may({ read }, 'function', 'medzen.read_migrations()'))
    ? ((await read('SELECT id, checksum, breaking FROM medzen.read_migrations()')) as unknown as readonly LedgerRow[]) // its own columns
    : undefined;
  if (ledger === undefined) unexamined.push('the ledger of migrations');
  const testClock = ledger?.some(({ id }) => id === 'medzen_test') === true;
  const state = compareLedger(ledger ?? [], testClock ? [...migrations, ...testMigrations] : migrations);
  const current = ledger !== undefined && state.missing.length === 0 && state.tooNew.length === 0;
  const roles = await read('SELECT rolname AS name FROM pg_roles');
  const examination: Examination = {
    schema,
    owner,
    read,
    testClock,
    standby,
    catalog: await readCatalog(client, schema),
    roles: new Set(['PUBLIC', ...roles.map(({ name }) => String(name))]),
    under: (sql) => underSchema(sql, schema),
    skip: (what) => unexamined.push(what),
  };
  const findings: Finding[] = [...old, ...(ledger === undefined ? [] : ledgerFindings(state))];
  for (const examiner of current ? [...always, ...whenCurrent] : always)
    findings.push(...(await examiner(examination)));
  return {
    findings: findings.toSorted((one, other) => gravity[one.severity] - gravity[other.severity]),
    unexamined,
    facts,
  };
}
