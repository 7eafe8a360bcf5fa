import type { AuditEvent } from '@medzen/core';
import { type ExemptBasis, exemptDisclosures } from './exempt-disclosure.ts';

/** What an event's own words say about an accounting. */
export type DisclosureStanding =
  | { readonly status: 'counted' }
  | { readonly status: 'exempt'; readonly basis: ExemptBasis }
  /** Counted all the same, and for somebody to look at: a misspelt exemption, or one for treatment, payment or operations under another purpose. */
  | { readonly status: 'doubtful' };

const ofOperations: ReadonlySet<string> = new Set(['TREAT', 'ETREAT', 'BTG', 'HPAYMT', 'HOPERAT']);

/** Reads the basis, and holds it against the purpose. In doubt, a disclosure counts. */
export function standingOf(basis: string, { purpose }: Pick<AuditEvent, 'purpose'>): DisclosureStanding {
  if (!basis.startsWith('exempt:')) return { status: 'counted' };
  if (!isExempt(basis)) return { status: 'doubtful' };
  const operations = basis === 'exempt:treatment-payment-operations';
  if (operations && purpose !== undefined && !ofOperations.has(purpose)) return { status: 'doubtful' };
  return { status: 'exempt', basis };
}

function isExempt(basis: string): basis is ExemptBasis {
  return Object.hasOwn(exemptDisclosures, basis);
}
