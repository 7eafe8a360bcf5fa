import { type Clock, errorFields, isMedzenError, MedzenError, type Stores, systemClock, type Wire } from '@medzen/core';
import type { Finding } from '../doctor/finding.ts';
import { ledgerFindings } from '../doctor/ledger-state.ts';
import { compareLedger, type LedgerRow } from '../ledger.ts';
import { knownMigrations } from '../manifest.generated.ts';
import { wireOf } from '../sql-stores.ts';
import { callJson } from '../stores/call-json.ts';
import { flag, integer, list, type Reader, shape, text } from '../stores/read-json.ts';

/** Requirements of a service. */
export interface CheckInstallationOptions {
  /**
   * Groups of functions that the service calls: `app` (default) records, searches, limits; `sequencer` seals and
   * archives; `auditor` reads.
   */
  readonly needs?: readonly ('app' | 'sequencer' | 'auditor')[];
  /** The service's own clock, which is compared with the database's; the machine's when absent. */
  readonly clock?: Clock;
  /** Milliseconds by which the two may differ, ≥ 1; 5000 when absent. */
  readonly maxSkewMs?: number;
}

/** Findings of the check, the worst first. */
export interface InstallationReport {
  /** True when the service can work: nothing critical was found. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

/** A minute and a half: past it tokens, leases and retention are judged by a wrong time. */
const criticalSkewMs = 90_000;

const gravity = { critical: 0, warning: 1, info: 2 } as const;

const facts = shape({
  caller: text,
  superuser: flag,
  owner: flag,
  version: integer,
  standby: flag,
  durable: flag,
  clock: text,
  lacking: ((value, path) => {
    shape({})(value, path);
    const entries = Object.entries(value as object); // as the line above has seen
    return new Map(entries.map(([role, names]) => [role, list(text)(names, `${path}/${role}`)]));
  }) satisfies Reader<ReadonlyMap<string, readonly string[]>>,
});

type Facts = ReturnType<typeof facts>;

/**
 * Says at once everything that would keep a service from working with its database, when it starts: an unreachable server, a refused login or
 * key, a schema that PostgREST does not expose, missing or altered migrations, rights that its role lacks, a standby, clocks that
 * differ, the clock for tests, a server that acknowledges before it has written, a pool whose transactions could wait for themselves. Two
 * calls; changes nothing. `npx medzen-sql doctor`, with the owner's login, looks deeper.
 *
 * @param installation - the stores of `sqlStores`, `prismaStores` or `supabaseStores`, or a wire outside any transaction
 * @param options - what the service needs
 * @returns a report; a database that does not answer is a finding too
 * @throws MedzenError `invalid_configuration` for stores without a wire, or an option out of bounds
 * @example
 * ```ts
 * import { checkInstallation, pgWire, sqlStores } from '@medzen/sql';
 * import pg from 'pg';
 * const { ok, findings } = await checkInstallation(sqlStores(pgWire(new pg.Pool())));
 * for (const { severity, message, remedy } of findings) console.error(severity, message, remedy);
 * if (!ok) process.exitCode = 1;
 * ```
 */
export async function checkInstallation(
  installation: Stores | Wire,
  options: CheckInstallationOptions = {},
): Promise<InstallationReport> {
  const wire = wireIn(installation);
  const { needs = ['app'], clock = systemClock, maxSkewMs = 5000 } = options;
  if (!(maxSkewMs >= 1)) throw new MedzenError('invalid_configuration', 'maxSkewMs must be at least 1');
  if (needs.length === 0 || !needs.every((role) => ['app', 'sequencer', 'auditor'].includes(role)))
    throw new MedzenError('invalid_configuration', "needs must list 'app', 'sequencer' or 'auditor'");
  const findings: Finding[] = [];
  const failed = (error: unknown): void => {
    const finding = findingOf(error);
    if (!findings.some(({ id }) => id === finding.id)) findings.push(finding);
  };

  try {
    const rows = await wire.root.call('read_migrations', {});
    const report = compareLedger(rows.map(ledgerRow), knownMigrations);
    findings.push(...ledgerFindings(report));
    if (report.testClock)
      findings.push({
        id: 'clock.test',
        severity: 'warning',
        object: 'medzen_test',
        message: 'The clock for tests is installed: leases, limits and replay windows can be moved by a call',
        remedy: 'Never in service. `npx medzen-sql doctor` has the SQL that takes it out',
      });
  } catch (error) {
    failed(error);
  }
  try {
    const before = clock.now().getTime();
    const known = await callJson(wire.root, 'read_installation', {}, facts);
    findings.push(...factFindings(known, needs), ...skewFindings(known, before, clock.now().getTime(), maxSkewMs));
  } catch (error) {
    failed(error);
  }
  if (wire.reserve === 'shared')
    findings.push({
      id: 'pool.shared',
      severity: 'warning',
      object: "the wire's pool",
      message:
        'Events of reads and denials wait for the pool that transactions take: as many of these as it has connections can wait for themselves',
      remedy:
        'Give the wire connections of its own for them: rootConnections or rootPool (pg), rootPool (postgres.js), rootClient (Prisma)',
    });
  const sorted = findings.toSorted((one, other) => gravity[one.severity] - gravity[other.severity]);
  return { ok: sorted.every(({ severity }) => severity !== 'critical'), findings: sorted };
}

function wireIn(installation: Stores | Wire): Wire {
  if ('call' in installation) {
    if (!installation.inTransaction) return installation;
    throw new MedzenError(
      'invalid_configuration',
      'The installation is checked outside any transaction; give the root wire',
    );
  }
  const wire = wireOf in installation ? (installation[wireOf] as Wire) : undefined; // put there by sqlStores
  if (wire !== undefined) return wireIn(wire);
  throw new MedzenError(
    'invalid_configuration',
    'These stores were not made by sqlStores; there is no database to check',
  );
}

function ledgerRow({ id, checksum, breaking }: Readonly<Record<string, unknown>>): LedgerRow {
  if (typeof id === 'string' && typeof checksum === 'string' && typeof breaking === 'boolean')
    return { id, checksum, breaking };
  throw new MedzenError('internal', 'The ledger has another shape than expected');
}

/** Turns a failed call into a finding about the installation. */
function findingOf(error: unknown): Finding {
  const { code, cause } = errorFields(error);
  const message = isMedzenError(error) ? error.message : 'The database could not be asked';
  const of = (id: string, remedy: string): Finding => ({
    id,
    severity: 'critical',
    object: 'the database',
    message,
    remedy,
  });
  if (code === 'migration_missing')
    return of('ledger.missing', 'npx medzen-sql add writes it into your tree; apply it as you apply your own');
  if (code === 'invalid_configuration') return of('configuration', `Mend what the message names (${cause})`);
  if (code === 'store_unavailable')
    return of('unreachable', `Look whether the server is up and can be reached (${cause})`);
  return of(code, `See what lies below it: ${cause}`);
}

function factFindings(known: Facts, needs: readonly string[]): readonly Finding[] {
  const findings: Finding[] = [];
  for (const need of needs) {
    const lacking = known.lacking.get(`medzen_${need}`) ?? [];
    if (lacking.length === 0) continue;
    const named = lacking.slice(0, 5).join(', ');
    findings.push({
      id: 'privilege.missing',
      severity: 'critical',
      object: known.caller,
      message: `The role ${known.caller} may not call ${named}${lacking.length > 5 ? ` and ${lacking.length - 5} more` : ''}`,
      remedy: `GRANT medzen_${need} TO the login, or SELECT apply_permissions() as the owner after roles were made`,
    });
  }
  const add = (when: boolean, finding: Finding): void => {
    if (when) findings.push(finding);
  };
  add(known.superuser || known.owner, {
    id: 'role.owner',
    severity: 'warning',
    object: known.caller,
    message: `The service logs in as ${known.superuser ? 'a superuser' : 'the owner of the schema'}, who can change the log`,
    remedy: 'Give it a login of its own that is a member of medzen_app',
  });
  add(known.standby, {
    id: 'server.standby',
    severity: 'critical',
    object: 'the server',
    message: 'It is a standby: nothing can be written',
    remedy: 'Connect to the primary',
  });
  add(known.version < 150_000, {
    id: 'server.old',
    severity: 'critical',
    object: 'the server',
    message: 'The migrations need Postgres 15 or later',
    remedy: 'Upgrade the server',
  });
  add(!known.durable, {
    id: 'server.undurable',
    severity: 'warning',
    object: 'the server',
    message:
      'fsync or synchronous_commit is off: an event counts as durable before it is on the disk, and a crash loses it',
    remedy: 'Set both to on, for the login of the service at least',
  });
  return findings;
}

/** The answer was made between the two readings, so that the clocks differ by at least what lies outside. */
function skewFindings(known: Facts, before: number, after: number, maxSkewMs: number): readonly Finding[] {
  const there = Date.parse(known.clock);
  if (Number.isNaN(there))
    throw new MedzenError('internal', 'The database answered with something else than an instant');
  const skew = there < before ? there - before : Math.max(0, there - after);
  if (Math.abs(skew) <= maxSkewMs) return [];
  return [
    {
      id: 'clock.skew',
      severity: Math.abs(skew) > criticalSkewMs ? 'critical' : 'warning',
      object: "the service's clock",
      message: `The clock of the database is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? 'ahead of' : 'behind'} the service's`,
      remedy: 'Have both machines keep the time by NTP',
    },
  ];
}
