/** A basis that exempts. */
export type ExemptBasis =
  | 'exempt:treatment-payment-operations'
  | 'exempt:individual'
  | 'exempt:incidental'
  | 'exempt:authorization'
  | 'exempt:directory-or-care'
  | 'exempt:national-security'
  | 'exempt:custody'
  | 'exempt:limited-data-set'
  | 'exempt:before-compliance';

/**
 * How the `disclosure.basis` of an event says, word for word, that 45 CFR 164.528(a)(1) exempts it from an accounting; each with its paragraph.
 * Nothing else exempts an event: not its `purpose`, which is `TREAT` wherever nobody gave one, and no free text.
 *
 * @example
 * ```ts
 * import { type ExemptBasis, exemptDisclosures } from '@medzen/audit';
 * const basis: ExemptBasis = 'exempt:authorization';
 * exemptDisclosures[basis]; // '45 CFR 164.528(a)(1)(iv)'
 * ```
 * @see 45 CFR 164.528(a)(1)(i)–(ix), https://www.ecfr.gov/current/title-45/section-164.528
 */
export const exemptDisclosures: Readonly<Record<ExemptBasis, string>> = {
  /** Treatment, payment and health care operations, as provided in 164.506. */
  'exempt:treatment-payment-operations': '45 CFR 164.528(a)(1)(i)',
  /** To individuals, of what is about them, as provided in 164.502. */
  'exempt:individual': '45 CFR 164.528(a)(1)(ii)',
  /** Incident to a use or disclosure otherwise permitted or required, as provided in 164.502. */
  'exempt:incidental': '45 CFR 164.528(a)(1)(iii)',
  /** Pursuant to an authorization, as provided in 164.508. */
  'exempt:authorization': '45 CFR 164.528(a)(1)(iv)',
  /** For the facility's directory, to persons involved in the individual's care, or other notification purposes, as provided in 164.510. */
  'exempt:directory-or-care': '45 CFR 164.528(a)(1)(v)',
  /** For national security or intelligence purposes, as provided in 164.512(k)(2). */
  'exempt:national-security': '45 CFR 164.528(a)(1)(vi)',
  /** To correctional institutions or law enforcement officials who have custody, as provided in 164.512(k)(5). */
  'exempt:custody': '45 CFR 164.528(a)(1)(vii)',
  /** As part of a limited data set, in accordance with 164.514(e). */
  'exempt:limited-data-set': '45 CFR 164.528(a)(1)(viii)',
  /** Before the compliance date of the covered entity. */
  'exempt:before-compliance': '45 CFR 164.528(a)(1)(ix)',
};
