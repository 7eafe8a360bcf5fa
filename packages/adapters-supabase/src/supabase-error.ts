import { type ErrorCode, MedzenError } from '@medzen/core';
import { fromSqlError, sqlstateOf } from '@medzen/sql';

/**
 * Turns the error of supabase-js into a `MedzenError`. Neither message nor cause holds anything that a gateway or `fetch` wrote,
 * since that may quote the address and its query; what Postgres said passes through `fromSqlError`, which leaves values out.
 *
 * @param answer - with `error` as supabase-js gave or threw it, and the HTTP status (0: none came)
 * @param name - the function that was called
 * @see https://docs.postgrest.org/en/v14/references/errors.html
 */
export function fromPostgrest(
  { error, status }: { readonly error: unknown; readonly status: number },
  name: string,
): MedzenError {
  const { code, message } = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {}; // an object
  if (sqlstateOf(error) !== undefined)
    return fromSqlError(Object.assign(new Error(typeof message === 'string' ? message : ''), { code }), name);
  const told = typeof code === 'string' && /^PGRST[0-9X]\d{2}$/.test(code) ? code : undefined;
  const fail = (kind: ErrorCode, text: string): MedzenError =>
    new MedzenError(kind, text, { cause: Object.assign(new Error('PostgREST'), { code: told, status }) });

  // No such function, or not with these arguments: as if Postgres itself had said so, which names the migration.
  if (told === 'PGRST202') return fromSqlError(Object.assign(new Error(message as string), { code: '42883' }), name);
  if (told === 'PGRST203') return fail('migration_drift', `The database has more than one function ${name}`);
  if (told === 'PGRST106')
    return fail('invalid_configuration', 'PostgREST does not expose the schema; add it to the exposed schemas');
  if (told?.startsWith('PGRST3') === true) return fail('invalid_configuration', 'PostgREST refused the key');
  if (status === 0 || status === 408 || status === 429 || status >= 500)
    return fail('store_unavailable', 'PostgREST could not be reached, or could not complete the call');
  if (status === 401 || status === 403) return fail('invalid_configuration', 'The gateway refused the key');
  if (status === 404) return fail('invalid_configuration', 'There is no PostgREST at the address of the client');
  return fail('internal', `PostgREST refused ${name}`);
}
