/**
 * How well a rule's text is known. `primary-seen`: the rule's own words were read. `secondary-seen`: a compilation or a summary was.
 * `operator`: the host's own policy, which the operator answers for. Only the first and the last let anything be deleted.
 */
export type RuleConfidence = 'primary-seen' | 'secondary-seen' | 'operator';

/** Where a period starts. The names are those of the rules themselves. */
export type RetentionTrigger =
  | 'record_created'
  | 'service_date'
  | 'treatment_commenced'
  | 'last_treatment'
  | 'last_entry'
  | 'last_contact'
  | 'last_seen'
  | 'last_use'
  | 'last_change'
  | 'dormant'
  /** The text names no start: read as the last entry or contact, the latest of the readings. */
  | 'not_stated'
  | 'discharge'
  | 'case_closed'
  | 'therapy_terminated'
  | 'termination_of_services'
  | 'completion_of_services'
  | 'treatment_completed'
  | 'death'
  /** Anything else has no fact that could start it: the rule is then unknown. */
  | (string & {});

/** A rule's provision for minors. */
export interface MinorRule {
  readonly rule: 'years_after_majority' | 'until_birthday' | 'years_from_trigger';
  /** Years, 0–100. */
  readonly n: number;
  /** Combination with the adult period. */
  readonly combine: 'later_of' | 'earlier_of' | 'replaces';
  /** With `until_birthday`: the birthday that counts instead for one who was 17 or older when the period began. */
  readonly nIfSeventeen?: number;
}

/** A duty to keep, as one text states it. */
export interface RetentionRule {
  /** Stable: `us-ga-psychologist`. Stands in decisions, tombstones and audit events. */
  readonly id: string;
  /** ISO 3166-1 or 3166-2: `US-GA`. */
  readonly jurisdiction: string;
  /** `psychologist`, `physician`, …; `all` binds every class of the jurisdiction. */
  readonly providerClass: string;
  /** `recommendation` and `documentation` rows are not applied unless a policy names them. */
  readonly kind: 'minimum_retention' | 'recommendation' | 'documentation';
  /**
   * Whole years, 0–100. `null`: the law was searched and gives no fixed period. Then no other rule ends the duty for this class, unless the
   * operator's policy has rules of its own, applies others, or confirms this one.
   */
  readonly adultYears: number | null;
  /** One trigger, or several of which the latest counts. */
  readonly trigger: RetentionTrigger | { readonly laterOf: readonly RetentionTrigger[] };
  readonly minor: MinorRule | null;
  /** No rule for minors was read, which does not mean that there is none: a minor's decision is `unknown`. */
  readonly minorRuleNotSeen?: boolean;
  /** Years from death. `later_of` where the text does not plainly say that death shortens the period. */
  readonly deceased: { readonly years: number; readonly combine: 'later_of' | 'earlier_of' | 'replaces' } | null;
  /** Whole years. Absent: 18, or what {@link agesOfMajority} says of the jurisdiction. */
  readonly ageOfMajority?: number;
  /**
   * Whole years after which the text forbids keeping the record. A conflict with a longer duty, a hold or the grace is reported; nothing is
   * ever deleted by it.
   */
  readonly maxYears?: number;
  /** The rule binds periods that start in it, both days included. What it once bound stays bound: later care does not undo it. */
  readonly effective?: { readonly from?: string; readonly to?: string };
  readonly citation: string;
  readonly source: string;
  readonly confidence: RuleConfidence;
  readonly note?: string;
}

/**
 * Ages of majority other than 18. Pennsylvania's 1 Pa.C.S. § 1991 reads 21 where others read 18: the later is taken.
 */
export const agesOfMajority: Readonly<Record<string, number>> = {
  'US-AL': 19,
  'US-NE': 19,
  'US-MS': 21,
  'US-PA': 21,
  'US-PR': 21,
};
