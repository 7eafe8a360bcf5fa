import { type ErrorCode, isMedzenError } from './errors.ts';

/** An RFC 9457 problem document, as Medzen answers it. */
export interface Problem {
  /** A URI that names the kind of problem; stable per `code`. */
  readonly type: string;
  /** The same for every problem of this kind. */
  readonly title: string;
  /** HTTP status, 400–599. */
  readonly status: number;
  /** Medzen's own code, or `internal`. */
  readonly code: ErrorCode;
  /** One sentence about this occurrence, without PHI. Absent for `internal`. */
  readonly detail?: string;
  /** Set by the guard. */
  readonly requestId?: string;
  /** JSON Pointers of fields that were wrong. */
  readonly pointers?: readonly string[];
  /** Facts a client may see: dates, rule ids. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** The one table from code to HTTP status and title. */
export const problemTable: Readonly<Record<ErrorCode, { readonly status: number; readonly title: string }>> = {
  invalid_input: { status: 422, title: 'The request does not fit its schema' },
  invalid_configuration: { status: 500, title: 'The service is misconfigured' },
  unauthenticated: { status: 401, title: 'Authentication is required' },
  forbidden: { status: 403, title: 'Not allowed' },
  origin_not_allowed: { status: 403, title: 'This origin is not allowed' },
  not_found: { status: 404, title: 'Not found' },
  gone: { status: 410, title: 'Deleted after its retention ended' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  conflict: { status: 409, title: 'Conflict' },
  audit_conflict: { status: 409, title: 'An audit event with this id and other content exists' },
  invalid_transition: { status: 409, title: 'Not possible in the present state' },
  consent_required: { status: 403, title: 'Consent is missing' },
  retention_active: { status: 409, title: 'Retention has not ended' },
  held: { status: 409, title: 'Under legal hold' },
  too_late: { status: 409, title: 'Deletion has begun' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  rate_limited: { status: 429, title: 'Too many requests' },
  signature_invalid: { status: 401, title: 'The signature does not verify' },
  checksum_mismatch: { status: 502, title: 'The bytes do not match their checksum' },
  lease_lost: { status: 409, title: 'The lease was lost to another worker' },
  checkpoint_inconsistent: { status: 500, title: 'The log contradicts its checkpoint' },
  not_available: { status: 409, title: 'Not available yet' },
  store_unavailable: { status: 503, title: 'A store is unavailable' },
  provider_unavailable: { status: 502, title: 'The provider is unavailable' },
  wire_busy: { status: 503, title: 'The only database connection is in a transaction' },
  migration_missing: { status: 500, title: 'A database migration is missing' },
  migration_drift: { status: 500, title: 'A database migration was altered' },
  internal: { status: 500, title: 'Internal error' },
};

/**
 * Turns anything thrown into a problem document. An unknown error, and every code of status 500, becomes a bare
 * `internal`-style answer: its message comes from below and may name tables, hosts or people.
 *
 * @param error - anything caught
 * @param requestId - given to the client so that it can be found in the host's logs
 * @returns a document to send as `application/problem+json`
 * @see RFC 9457
 * @example
 * ```ts
 * import { MedzenError, toProblem } from '@medzen/core';
 * toProblem(new MedzenError('not_found', 'No such recording')).status; // 404
 * toProblem(new Error('password=…')).title; // 'Internal error'
 * ```
 */
export function toProblem(error: unknown, requestId?: string): Problem {
  // A newer copy of the package may know codes that this one does not.
  const code: ErrorCode = isMedzenError(error) && Object.hasOwn(problemTable, error.code) ? error.code : 'internal';
  const row = problemTable[code];
  const open = isMedzenError(error) && row.status !== 500;
  return {
    type: `https://medzen.dev/problems/${code.replaceAll('_', '-')}`,
    title: row.title,
    status: row.status,
    code,
    ...(open ? { detail: error.message } : {}),
    ...(requestId === undefined ? {} : { requestId }),
    ...(open && error.pointers !== undefined ? { pointers: error.pointers } : {}),
    ...(open && error.detail !== undefined ? { facts: error.detail } : {}),
  };
}
