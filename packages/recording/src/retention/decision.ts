import type { RetentionClass, RetentionFact } from '@medzen/core';
import type { RuleConfidence } from './rule.ts';

/** What the rules are asked about. */
export interface RetentionInput {
  readonly retentionClass: RetentionClass;
  /** When the recorded session began, RFC 3339: the record was created then, and its patient was treated. */
  readonly startedAt: string;
  /** All facts of the patient. */
  readonly facts: readonly RetentionFact[];
  /** Active legal holds, ≥ 0. */
  readonly holds: number;
  /** The object store refuses deletion until then (Object Lock): RFC 3339. */
  readonly lockedUntil?: string;
}

/** One rule that had a say. */
export interface RetentionBasis {
  readonly ruleId: string;
  readonly citation: string;
  readonly source: string;
  readonly confidence: RuleConfidence;
  /** First local day on which this rule no longer asks to keep; absent when it cannot be told. */
  readonly until?: string;
}

/**
 * What the rules say, and why.
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
  /** One or two sentences for a person. Dates and rules, no names. */
  readonly explanation: string;
}
