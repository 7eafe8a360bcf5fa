/** An answer that is no success: PostgREST's four fields, and its status. */
export interface Refusal {
  readonly status: number;
  readonly body: {
    readonly code: string;
    readonly details: string | null;
    readonly hint: string | null;
    readonly message: string;
  };
}

/** What PostgREST says by itself. */
export function refusal(status: number, code: string, message: string): Refusal {
  return { status, body: { code, details: null, hint: null, message } };
}

/**
 * What PostgREST makes of an error of Postgres; see https://docs.postgrest.org/en/v14/references/errors.html
 *
 * @param error - what `pg` threw; without a SQLSTATE the database was not reached
 * @param authenticated - whether the role is another than the anonymous one
 */
export function refusalOf(error: unknown, authenticated: boolean): Refusal {
  const told = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>; // of pg, which types nothing
  const text = (key: string): string | null => (typeof told[key] === 'string' ? told[key] : null);
  const code = text('code');
  if (code === null || !/^(?=.*\d)[0-9A-Z]{5}$/.test(code))
    return refusal(503, 'PGRST001', 'Database client error. Retrying the connection.');
  const body = { code, details: text('detail'), hint: text('hint'), message: text('message') ?? '' };
  return { status: statusOf(code, authenticated), body };
}

function statusOf(code: string, authenticated: boolean): number {
  if (code === '42501') return authenticated ? 403 : 401;
  const raised = /^PT(\d{3})$/.exec(code)?.[1];
  if (raised !== undefined) return Number(raised);
  return statuses[code] ?? statuses[code.slice(0, 2)] ?? 400;
}

/** By SQLSTATE, else by its class. */
const statuses: Readonly<Record<string, number>> = {
  '08': 503,
  '09': 500,
  '0L': 403,
  '0P': 403,
  '23503': 409,
  '23505': 409,
  '25006': 405,
  '25': 500,
  '28': 403,
  '2D': 500,
  '38': 500,
  '39': 500,
  '3B': 500,
  '40': 500,
  '53400': 500,
  '53': 503,
  '54': 500,
  '55': 500,
  '57': 500,
  '58': 500,
  F0: 500,
  HV: 500,
  P0001: 400,
  P0: 500,
  XX: 500,
  '42883': 404,
  '42P01': 404,
  '42P17': 500,
};
