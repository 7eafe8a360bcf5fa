import type { RetentionClass, RetentionFact } from '@medzen/core';
import type { RetentionDecision, RetentionInput } from './decision.ts';

/**
 * The retention rules of one installation, as the rest of this package asks them. An interface, so that what only signs playback
 * links (an Edge Function) carries neither the rule data nor calendar arithmetic.
 */
export interface Retention {
  /**
   * Changes whenever the rules or the policies would decide differently: stored decisions of another version are made again. The wording of a
   * citation, a source or a note, and the order of the rules, do not change it.
   */
  readonly rulesVersion: string;

  /** Pure. @throws MedzenError `invalid_input` for a bad date or an unknown zone */
  evaluate(input: RetentionInput, now: Date): RetentionDecision;

  /** The local calendar date of an instant. @throws MedzenError `invalid_input` */
  dayOf(instant: Date, zone: string): string;

  /**
   * Checks a fact's date and zone: a real day from 1900 to one day after `now`, in a real zone.
   *
   * @throws MedzenError `invalid_input`
   */
  check(fact: RetentionFact, now: Date): void;

  /**
   * Refuses a class that no rule and no policy knows.
   *
   * @throws MedzenError `invalid_input` with the field, its value and what is known (detail: `field`, `value`, `known`)
   */
  checkClass(retentionClass: RetentionClass): void;
}
