import type { RetentionRule } from './rule.ts';

/** An operator's policy for one provider class in one jurisdiction. */
export interface RetentionPolicy {
  /** Stable; stands in explanations. */
  readonly name: string;
  readonly jurisdiction: string;
  readonly providerClass: string;
  /** Ids of further rules to apply: a payer's, a recommendation. */
  readonly apply?: readonly string[];
  /** Ids of rules known only from compilations whose text the operator has checked: they may then end a duty as well. */
  readonly confirm?: readonly string[];
  /** The operator's own minimums. */
  readonly rules?: readonly RetentionRule[];
  /** Days between the end of the duty and deletion, 0–3650; 90 when absent. */
  readonly graceDays?: number;
  /** Days before deletion at which people are told, 0 to `graceDays`; 30 when absent. */
  readonly warnDays?: number;
}

/**
 * Seven years from the last treatment for a psychologist licensed in Georgia, minors at least until three years after majority;
 * 90 days of grace; a warning 30 days before deletion.
 *
 * @see Ga. Comp. R. & Regs. 510-5-.04(2). O.C.G.A. § 43-39-16, often cited for it, is the privilege statute.
 */
export const georgiaPsychologist: RetentionPolicy = {
  name: 'georgia-psychologist',
  jurisdiction: 'US-GA',
  providerClass: 'psychologist',
  graceDays: 90,
  warnDays: 30,
};
