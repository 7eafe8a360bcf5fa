import type { RetentionDecision, RetentionInput } from './decision.ts';
import type { RetentionPolicy } from './policy.ts';
import type { RetentionRule } from './rule.ts';

/**
 * How long a recording must be kept, by which rules, and why. Pure: the same question always has the same answer.
 *
 * @param input - the recording's class and day, and the facts of its patient
 * @param rules - all rules known; those of the class's place and kind are applied
 * @param now - the instant to judge at
 * @param policy - of the operator for that class, if there is one
 * @throws MedzenError `invalid_input` for a bad date or an unknown zone
 */
export function evaluateRetention(
  input: RetentionInput,
  rules: readonly RetentionRule[],
  now: Date,
  policy?: RetentionPolicy,
): RetentionDecision {
  throw new Error(`to come ${input.startedAt} ${rules.length} ${now} ${policy?.name}`);
}
