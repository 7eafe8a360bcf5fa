import type { RetentionClass, RetentionFact, RetentionFactType } from '@medzen/core';
import type { RuleConfidence } from './rule.ts';

/** Input of the rules. */
export interface RetentionInput {
  readonly retentionClass: RetentionClass;
  /** When the recorded session began, RFC 3339: the record was created then, and its patient was treated. */
  readonly startedAt: string;
  /** All facts of the patient, in the order in which they were noted. Void ones are told apart here. */
  readonly facts: readonly RetentionFact[];
  /** Active legal holds, ≥ 0. */
  readonly holds: number;
  /** The object store refuses deletion until then (Object Lock): RFC 3339. */
  readonly lockedUntil?: string;
  /** The recording's own floor: RFC 3339. */
  readonly keepUntil?: string;
}

/** One rule that had a say. */
export interface RetentionBasis {
  readonly ruleId: string;
  readonly citation: string;
  readonly source: string;
  readonly confidence: RuleConfidence;
  /** First local day on which this rule no longer asks to keep; absent when it cannot be told. */
  readonly until?: string;
  /** The day after which the rule's text forbids keeping the record. Reported where it comes before the end of the grace; never acted on. */
  readonly noLongerThan?: string;
}

/**
 * Decision of the rules, and the reasons.
 *
 * - `retain`: the duty stands. `grace`: it ended, nothing is deleted yet. `warn`: deletion is near. `eligible`: by law and policy it may be
 *   deleted; that people were warned in time is the row's affair (`deletableAt`), and the store's condition.
 * - `held`: a legal hold or an open claim beats everything; the dates tell what would hold without it.
 * - `unknown`: no verified rule, or a fact is missing without which none can be counted. Never deleted.
 */
export interface RetentionDecision {
  readonly status: 'retain' | 'warn' | 'grace' | 'eligible' | 'held' | 'unknown';
  /** End of the duty: local midnight after the anniversary. RFC 3339 UTC. Absent when it cannot be told. */
  readonly retainUntil?: string;
  /** When people are to be told: `graceUntil` less the policy's warning days. */
  readonly warnAt?: string;
  /** Nothing is deleted before it. */
  readonly graceUntil?: string;
  /** The rule that decides first. Empty only when no rule is known at all. */
  readonly basis: readonly RetentionBasis[];
  /**
   * True when a period comes from a rule that was read in its own words, or that the operator answers for. Only then a
   * duty can end.
   */
  readonly verified: boolean;
  /** Reason why there are no dates: no rule or fact gives one, or a claim is open. Absent when there are dates. */
  readonly undated?: 'unknown' | 'claim';
  /**
   * Kinds of facts that are not noted and would change the answer: `birth` where a rule asks whether the patient was a minor, `discharge`
   * where one counts from it.
   */
  readonly missing: readonly RetentionFactType[];
  /** Assumptions made in place of missing facts, a sentence each. */
  readonly assumptions: readonly string[];
  /** Ids of facts that were taken back and did not count. */
  readonly voided: readonly string[];
  /** A few sentences for a person. Dates and rules, no names. */
  readonly explanation: string;
}
