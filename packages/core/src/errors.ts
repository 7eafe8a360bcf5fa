/**
 * Every failure that Medzen throws is a `MedzenError` with one of these codes. The set is closed: a `switch` over it can
 * be exhaustive, and each code has one row in the problem table (see `toProblem`).
 */
export type ErrorCode =
  | 'invalid_input'
  | 'invalid_configuration'
  | 'unauthenticated'
  | 'forbidden'
  | 'origin_not_allowed'
  | 'not_found'
  | 'gone'
  | 'method_not_allowed'
  | 'conflict'
  | 'audit_conflict'
  | 'invalid_transition'
  | 'consent_required'
  | 'retention_active'
  | 'held'
  | 'too_late'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'rate_limited'
  | 'signature_invalid'
  | 'checksum_mismatch'
  | 'lease_lost'
  | 'checkpoint_inconsistent'
  | 'not_available'
  | 'store_unavailable'
  | 'provider_unavailable'
  | 'wire_busy'
  | 'migration_missing'
  | 'migration_drift'
  | 'internal';

/** Options of a {@link MedzenError}. */
export interface MedzenErrorOptions {
  /** The error from below. Kept for logs of the host; never shown to a client. */
  readonly cause?: unknown;
  /** True when the same call may succeed later without a change. Default: depends on the code (see `toProblem`). */
  readonly retryable?: boolean;
  /** Seconds after which a retry makes sense, ≥ 0. Becomes `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /**
   * Facts a client may see: dates, rule ids, names of missing participants' roles. Never PHI, never a token. JSON only.
   */
  readonly detail?: Readonly<Record<string, unknown>>;
  /** JSON Pointers (RFC 6901) into the request body, of fields the schema knows. */
  readonly pointers?: readonly string[];
  /** An audit event of this refusal is durable already. */
  readonly audited?: boolean;
}

const brand: unique symbol = Symbol.for('medzen.error');

const retryableCodes: ReadonlySet<ErrorCode> = new Set([
  'rate_limited',
  'lease_lost',
  'store_unavailable',
  'provider_unavailable',
  'wire_busy',
]);

/**
 * The one error class of Medzen. Recognise it with {@link isMedzenError}, which also works across two copies of the package.
 *
 * @example
 * ```ts
 * import { MedzenError } from '@medzen/core';
 * throw new MedzenError('not_found', 'No such recording');
 * ```
 */
export class MedzenError extends Error {
  /** Stable, for programs. */
  readonly code: ErrorCode;
  /** True when the same call may succeed later without a change. */
  readonly retryable: boolean;
  /** Seconds after which a retry makes sense. */
  readonly retryAfterSeconds: number | undefined;
  /** Facts a client may see. */
  readonly detail: Readonly<Record<string, unknown>> | undefined;
  /** JSON Pointers of the fields that were wrong. */
  readonly pointers: readonly string[] | undefined;
  /** True when this refusal is already recorded durably in the audit log, so that a guard does not record it again. */
  readonly audited: boolean;

  /**
   * @param code - one of the closed set
   * @param message - one sentence without PHI, tokens or query strings
   * @param options - cause, retryability, facts for the client
   */
  constructor(code: ErrorCode, message: string, options: MedzenErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MedzenError';
    this.code = code;
    this.retryable = options.retryable ?? retryableCodes.has(code);
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.detail = options.detail;
    this.pointers = options.pointers;
    this.audited = options.audited ?? false;
    Object.defineProperty(this, brand, { value: true });
  }

  /** The same failure, marked as written down in the audit log. */
  asAudited(): MedzenError {
    const { code, message, cause, retryable, retryAfterSeconds, detail, pointers } = this;
    return new MedzenError(code, message, {
      cause,
      retryable,
      audited: true,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      ...(detail === undefined ? {} : { detail }),
      ...(pointers === undefined ? {} : { pointers }),
    });
  }
}

/**
 * Whether a value is a {@link MedzenError}, by its brand: true across realms and across two installed copies.
 *
 * @param value - anything caught
 * @returns true when `value.code` may be relied upon
 * @example
 * ```ts
 * import { isMedzenError } from '@medzen/core';
 * try {
 *   await Promise.reject(new Error('no'));
 * } catch (error) {
 *   if (isMedzenError(error) && error.retryable) console.log(error.code);
 * }
 * ```
 */
export function isMedzenError(value: unknown): value is MedzenError {
  return typeof value === 'object' && value !== null && (value as { [brand]?: unknown })[brand] === true; // reading an own symbol off an unknown object
}
