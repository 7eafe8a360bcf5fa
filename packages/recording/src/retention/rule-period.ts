import type { RetentionFactType } from '@medzen/core';
import { addYears, compareDates, type LocalDate } from '@medzen/core/calendar';
import { agesOfMajority, type MinorRule, type RetentionRule } from './rule.ts';
import { type CareDays, careUntil, deathDay, earlier, later, latest, missingFact, triggerDay } from './trigger-day.ts';

/** Result of one rule for one patient. */
export type RulePeriod =
  /** The anniversary: still kept on that day. */
  | {
      readonly kind: 'day';
      readonly day: LocalDate;
      /** The day from which it counts. */
      readonly start: LocalDate;
      /** No birth date is noted, and the rule asks for one: the patient was taken for born on the day of the recording. */
      readonly assumedBirth?: true;
    }
  /** It asks for something, but from when or for how long cannot be told. */
  | { readonly kind: 'unknown'; readonly why: string; readonly missing?: RetentionFactType }
  /** It does not reach this record. */
  | { readonly kind: 'silent' };

/**
 * Counts one rule. Always from the original anchor: adding years twice is not adding them once.
 *
 * No contact that is added makes the day earlier: every start is the latest of its kind, and what a rule bound while it was in force
 * stays bound when later care falls outside it.
 */
export function rulePeriod(rule: RetentionRule, days: CareDays): RulePeriod {
  if (rule.adultYears === null) return withoutAdultPeriod(rule, days);
  const start = periodStart(rule, days);
  if (typeof start === 'object') return start;
  const adult = addYears(start, rule.adultYears);
  const period = withMinority(rule, days, start, adult);
  return period.kind === 'day' ? { ...period, day: withDeath(rule, days, period.day) } : period;
}

function withoutAdultPeriod(rule: RetentionRule, days: CareDays): RulePeriod {
  const { id, deceased } = rule;
  if (deceased === null) return { kind: 'unknown', why: `the law was searched for ${id} and gives no fixed period` };
  const death = deathDay(days);
  if (death === undefined)
    return { kind: 'unknown', why: `${id} counts from death, which has not been noted`, missing: 'death' };
  return { kind: 'day', day: addYears(death, deceased.years), start: death };
}

/**
 * The latest day at which a period under this rule began. A rule that is no longer in force is read with the care up to its last day: the
 * periods that began under it go on.
 */
function periodStart(rule: RetentionRule, days: CareDays): LocalDate | Exclude<RulePeriod, { kind: 'day' }> {
  const { from, to } = rule.effective ?? {};
  // The record did not exist while the rule was in force.
  if (to !== undefined && compareDates(days.own, to) > 0) return { kind: 'silent' };
  const inForce = to === undefined ? days : careUntil(days, to);
  let start = triggerDay(rule.trigger, inForce);
  if (start === undefined) {
    if (to === undefined || triggerDay(rule.trigger, days) === undefined) return notStarted(rule, days);
    // The last episode ended after the rule did. One that ended before, under it, still binds.
    const ended = latest(inForce.ends);
    start = ended === undefined ? undefined : triggerDay(rule.trigger, careUntil(days, ended));
  }
  if (start === undefined || (from !== undefined && compareDates(start, from) < 0)) return { kind: 'silent' };
  return start;
}

function notStarted(rule: RetentionRule, days: CareDays): Extract<RulePeriod, { kind: 'unknown' }> {
  const missing = missingFact(rule.trigger, days);
  if (missing !== undefined)
    return { kind: 'unknown', why: `what ${rule.id} counts from (${missing}) has not been noted`, missing };
  const trigger = typeof rule.trigger === 'object' ? rule.trigger.laterOf.join(', ') : rule.trigger;
  return { kind: 'unknown', why: `${rule.id} counts from ${trigger}, which no fact can state: a policy must decide` };
}

function withMinority(
  rule: RetentionRule,
  days: CareDays,
  start: LocalDate,
  adult: LocalDate,
): Extract<RulePeriod, { kind: 'day' | 'unknown' }> {
  const majority = rule.ageOfMajority ?? agesOfMajority[rule.jurisdiction] ?? 18;
  const { birth, own } = days;
  const of = (day: LocalDate) => ({ kind: 'day', day, start }) as const;
  if (birth === undefined) {
    if (rule.minorRuleNotSeen === true)
      return {
        kind: 'unknown',
        why: `${rule.id} was not read for minors and no birth date is noted`,
        missing: 'birth',
      };
    if (rule.minor === null) return of(adult);
    // The youngest the patient can be: born on the day of the recording. No birth date keeps longer than that one. Not the day of an earlier
    // contact: then noting one would bring the end nearer.
    const day = rule.minor.combine === 'earlier_of' ? adult : later(adult, minorDay(rule.minor, own, majority, start));
    return { ...of(day), assumedBirth: true };
  }
  const ofAge = addYears(birth, majority);
  const minorThen = compareDates(start, ofAge) < 0;
  const minorWhenRecorded = compareDates(own, ofAge) < 0;
  if (!minorThen && !minorWhenRecorded) return of(adult);
  if (rule.minorRuleNotSeen === true)
    return { kind: 'unknown', why: `${rule.id} was not read for minors, and the patient was one` };
  if (rule.minor === null) return of(adult);
  const minor = minorDay(rule.minor, birth, majority, start);
  // Recorded as a minor, but of age when the period began: texts differ on which counts, so the longer does.
  if (!minorThen) return of(rule.minor.combine === 'earlier_of' ? adult : later(adult, minor));
  if (rule.minor.combine === 'replaces') return of(minor);
  return of(rule.minor.combine === 'later_of' ? later(adult, minor) : earlier(adult, minor));
}

function minorDay(minor: MinorRule, birth: LocalDate, majority: number, start: LocalDate): LocalDate {
  switch (minor.rule) {
    case 'years_after_majority':
      return addYears(birth, majority + minor.n);
    case 'until_birthday': {
      const seventeen = compareDates(start, addYears(birth, 17)) >= 0;
      return addYears(birth, seventeen ? Math.max(minor.nIfSeventeen ?? minor.n, minor.n) : minor.n);
    }
    case 'years_from_trigger':
      return addYears(start, minor.n);
  }
}

/** Death shortens a period only where the rule's own text says so: `earlier_of`, `replaces`. */
function withDeath(rule: RetentionRule, days: CareDays, day: LocalDate): LocalDate {
  const death = deathDay(days);
  if (rule.deceased === null || death === undefined) return day;
  const fromDeath = addYears(death, rule.deceased.years);
  if (rule.deceased.combine === 'replaces') return fromDeath;
  return rule.deceased.combine === 'later_of' ? later(day, fromDeath) : earlier(day, fromDeath);
}
