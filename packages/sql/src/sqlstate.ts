import { type ErrorCode, isMedzenError, MedzenError } from '@medzen/core';
import { manifest } from './manifest.generated.ts';

/** The SQLSTATE of each code: class `MZ`, numbered as `medzen.fail` in SQL numbers them. */
export const sqlstates: Readonly<Record<ErrorCode, string>> = {
  invalid_input: 'MZ001',
  invalid_configuration: 'MZ002',
  unauthenticated: 'MZ003',
  forbidden: 'MZ004',
  origin_not_allowed: 'MZ005',
  not_found: 'MZ006',
  gone: 'MZ007',
  method_not_allowed: 'MZ008',
  conflict: 'MZ009',
  audit_conflict: 'MZ010',
  invalid_transition: 'MZ011',
  consent_required: 'MZ012',
  retention_active: 'MZ013',
  held: 'MZ014',
  too_late: 'MZ015',
  body_too_large: 'MZ016',
  unsupported_media_type: 'MZ017',
  rate_limited: 'MZ018',
  signature_invalid: 'MZ019',
  checksum_mismatch: 'MZ020',
  lease_lost: 'MZ021',
  checkpoint_inconsistent: 'MZ022',
  not_available: 'MZ023',
  store_unavailable: 'MZ024',
  provider_unavailable: 'MZ025',
  wire_busy: 'MZ026',
  migration_missing: 'MZ027',
  migration_drift: 'MZ028',
  internal: 'MZ029',
};

const codes: ReadonlyMap<string, ErrorCode> = new Map(
  Object.entries(sqlstates).map(([code, state]) => [state, code as ErrorCode]), // Object.entries forgets the key type
);

/**
 * The five characters of an error's SQLSTATE, if it came from Postgres. Drivers put the system's own codes (`ECONNRESET`,
 * `EPIPE`) in the same place; the SQLSTATEs in use all contain a digit.
 *
 * @param error - anything that was thrown
 * @returns undefined when there is none
 * @example
 * ```ts
 * import { sqlstateOf } from '@medzen/sql';
 * sqlstateOf({ code: '40001' }); // '40001'
 * sqlstateOf({ code: 'EPIPE' }); // undefined
 * ```
 */
export function sqlstateOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/**
 * Turns what a driver threw into a `MedzenError`. The one place where SQLSTATEs are read. Its own message is fixed text,
 * because a driver's may quote values; the `cause` is the driver's error without them.
 *
 * @param error - anything a driver threw
 * @param name - the function that was called, for the migration that defines it
 * @see https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
export function fromSqlError(error: unknown, name: string): MedzenError {
  if (isMedzenError(error)) return error;
  const state = sqlstateOf(error);
  const cause = state === undefined ? error : withoutValues(error, state);
  const fail = (code: ErrorCode, message: string): MedzenError => new MedzenError(code, message, { cause });
  if (state === undefined) {
    const [kind, message] = withoutState(error);
    return fail(kind, message);
  }
  const code = codes.get(state);
  if (code !== undefined) return fail(code, error instanceof Error ? error.message : code);
  if (absent.has(state))
    return fail('migration_missing', `The database lacks migration ${manifest[name]?.migration ?? `for ${name}`}`);
  if (state === '42501')
    return fail('invalid_configuration', `The database role may not call ${name}; grant it the Medzen role that may`);
  if (state === '25P02') return fail('conflict', "The host's transaction has failed already");
  if (state.startsWith('22')) return fail('invalid_input', `An argument of ${name} has the wrong form`);
  const known = told.get(state) ?? told.get(state.slice(0, 2));
  if (known !== undefined) return fail(...known);
  if (state === '0A000' && said(error, 'RevalidateCachedQuery', 'cached plan'))
    return fail('store_unavailable', 'A migration has changed what a prepared statement gives; retry the transaction');
  if (state === '0A000' && said(error, 'get_relation_info', 'during recovery'))
    return fail('store_unavailable', readOnly);
  return fail('internal', `The database refused ${name}`);
}

/** True when a server's error came from this routine, or, where the driver omits the routine, has these words. */
function said(error: unknown, routine: string, words: string): boolean {
  if (!(error instanceof Error)) return false;
  return ('routine' in error && error.routine === routine) || error.message.includes(words);
}

/** Classifies an error without a SQLSTATE: of the driver, of the network, of TLS. */
function withoutState(error: unknown): readonly [ErrorCode, string] {
  if (!(error instanceof Error)) return ['store_unavailable', 'The database could not be reached'];
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (/CERT|^ERR_(SSL|TLS)|^EPROTO$/.test(code))
    return ['invalid_configuration', "The database's TLS certificate is not trusted; check the driver's `ssl` option"];
  if (code === 'ERR_INVALID_URL')
    return ['invalid_configuration', 'The connection string of the database is not a URL'];
  if (error.message.startsWith('SASL')) return ['invalid_configuration', refusedLogin];
  if (error instanceof TypeError || error instanceof RangeError) return ['internal', 'The wire failed'];
  return ['store_unavailable', 'The database could not be reached'];
}

/**
 * Copies the server's error for the logs of your application, without values. Its detail holds the whole row that was
 * refused, its context the arguments, and in class 22 the message itself quotes what could not be read: with those left
 * out, no patient gets into a log.
 */
function withoutValues(error: unknown, state: string): Error {
  const said = error as Record<string, unknown>; // an object: it has a SQLSTATE
  const { message, stack, severity, column, routine } = said;
  // postgres.js names these three otherwise than pg, PGlite and Neon.
  const { schema = said.schema_name, table = said.table_name, constraint = said.constraint_name } = said;
  const text = typeof message === 'string' && !state.startsWith('22') ? message : 'a value has the wrong form';
  const told = Object.assign(new Error(text), { code: state, severity, schema, table, column, constraint, routine });
  if (typeof stack === 'string' && typeof message === 'string' && message !== '')
    told.stack = stack.replaceAll(message, text);
  return told;
}

/** Undefined function, schema, table. */
const absent: ReadonlySet<string> = new Set(['42883', '3F000', '42P01']);

const refusedLogin = 'The database refused the login; check user, password and pg_hba.conf';
const readOnly = 'The database is read-only: it is a standby, or was demoted; connect to the primary';
const passing = ['store_unavailable', 'The database could not complete the call'] as const;

/** Codes of other SQLSTATEs: whole classes by their first two characters. A SQLSTATE that is not listed is a bug. */
const told: ReadonlyMap<string, readonly [ErrorCode, string]> = new Map<string, readonly [ErrorCode, string]>([
  ['28', ['invalid_configuration', refusedLogin]],
  ['3D000', ['invalid_configuration', 'The database of the connection string does not exist']],
  [
    '26000',
    ['invalid_configuration', 'Prepared statements do not survive the pooler; make the wire without `prepare`'],
  ],
  [
    '42P05',
    ['invalid_configuration', 'Prepared statements do not survive the pooler; make the wire without `prepare`'],
  ],
  ['08', passing], // connection
  ['40', ['store_unavailable', 'The call met another transaction; retry the transaction']], // serialisation failure, deadlock
  ['53', passing], // out of disk, memory, connections
  ['57', passing], // canceled, shut down, starting up
  ['58', passing], // the system under the server
  [
    '55P03',
    ['store_unavailable', 'Another transaction holds a lock that the call needs, and has held it for too long; retry'],
  ],
  ['25006', ['store_unavailable', readOnly]],
  ['25P03', passing], // idle in transaction for too long
  ['25P04', passing], // transaction time-out
]);
