import { MedzenError, type PurposeOfUse } from '@medzen/core';

/** Source of a request's purpose of use. */
export interface PurposeHeader {
  readonly allow: readonly PurposeOfUse[];
  readonly header: string;
  readonly reasonHeader: string;
}

/** Allowed purposes and their header. */
export interface PurposeHeaderOptions {
  readonly allow: readonly PurposeOfUse[];
  /** Default `x-purpose-of-use`. */
  readonly header?: string;
  /** Default `x-purpose-reason`; percent-encoded UTF-8, because header fields are ASCII. */
  readonly reasonHeader?: string;
}

/**
 * Lets the client state the purpose of use, among those allowed on this route. Without the header the purpose stays unset
 * (`TREAT`). Break-glass (`ETREAT`, `BTG`) is refused without a reason.
 *
 * @throws MedzenError `invalid_configuration` for an empty list
 * @see HL7 v3 PurposeOfUse
 * @example
 * ```ts
 * import { purposeHeader } from '@medzen/security';
 * purposeHeader({ allow: ['TREAT', 'BTG'] });
 * ```
 */
export function purposeHeader(options: PurposeHeaderOptions): PurposeHeader {
  if (options.allow.length === 0) throw new MedzenError('invalid_configuration', 'purpose.allow must not be empty');
  return {
    allow: options.allow,
    header: (options.header ?? 'x-purpose-of-use').toLowerCase(),
    reasonHeader: (options.reasonHeader ?? 'x-purpose-reason').toLowerCase(),
  };
}

/**
 * The purpose and reason of one request.
 *
 * @throws MedzenError `invalid_input` for a purpose that is not allowed here, an unreadable reason, or none where one is due
 */
export function purposeOf(
  policy: PurposeOfUse | PurposeHeader | undefined,
  headers: Headers,
): { readonly purpose?: PurposeOfUse; readonly reason?: string } {
  if (policy === undefined) return {};
  if (typeof policy === 'string') return { purpose: policy };
  const purpose = headers.get(policy.header);
  if (purpose === null) return {};
  if (!policy.allow.includes(purpose))
    throw new MedzenError('invalid_input', 'This purpose of use is not allowed here');
  const reason = reasonOf(headers.get(policy.reasonHeader));
  if (reason === undefined && (purpose === 'ETREAT' || purpose === 'BTG'))
    throw new MedzenError('invalid_input', 'This purpose of use needs a reason');
  return { purpose, ...(reason === undefined ? {} : { reason }) };
}

function reasonOf(raw: string | null): string | undefined {
  if (raw === null || raw.trim() === '') return undefined;
  let reason: string;
  try {
    reason = decodeURIComponent(raw).trim();
  } catch {
    throw new MedzenError('invalid_input', 'The reason is not percent-encoded UTF-8');
  }
  if (reason.length > 2048 || reason.includes('\0'))
    throw new MedzenError('invalid_input', 'The reason cannot be stored');
  return reason === '' ? undefined : reason;
}
