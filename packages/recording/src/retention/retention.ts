import type { RetentionFact } from '@medzen/core';
import type { RetentionDecision, RetentionInput } from './decision.ts';

/**
 * The retention rules of one installation, as the rest of this package asks them. An interface, so that what only signs playback
 * links (an Edge Function) carries neither the rule data nor calendar arithmetic.
 */
export interface Retention {
  /** Changes whenever the rules or the policies do: stored decisions of another version are made again. */
  readonly rulesVersion: string;

  /** Pure. @throws MedzenError `invalid_input` for a bad date or an unknown zone */
  evaluate(input: RetentionInput, now: Date): RetentionDecision;

  /** The local calendar date of an instant. @throws MedzenError `invalid_input` */
  dayOf(instant: Date, zone: string): string;

  /** Checks a fact's date and zone. @throws MedzenError `invalid_input` */
  check(fact: RetentionFact): void;
}
