import { addYears, compareDates, type LocalDate } from '@medzen/core/calendar';
import { agesOfMajority, type MinorRule, type RetentionRule } from './rule.ts';
import { type CareDays, earlier, later, triggerDay } from './trigger-day.ts';

/** What one rule comes to for one patient. */
export type RulePeriod =
  /** The anniversary: still kept on that day. */
  | { readonly kind: 'day'; readonly day: LocalDate }
  /** It asks for something, but from when or for how long cannot be told. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** It does not reach this record. */
  | { readonly kind: 'silent' };

/**
 * Counts one rule. Always from the original anchor: adding years twice is not adding them once.
 */
export function rulePeriod(rule: RetentionRule, days: CareDays): RulePeriod {
  if (rule.adultYears === null) return withoutAdultPeriod(rule, days);
  const start = triggerDay(rule.trigger, days);
  if (start === undefined) return { kind: 'unknown', why: `what ${rule.id} counts from has not been noted` };
  if (!inForce(rule, start)) return { kind: 'silent' };
  const adult = addYears(start, rule.adultYears);
  const period = withMinority(rule, days, start, adult);
  return period.kind === 'day' ? { kind: 'day', day: withDeath(rule, days, period.day) } : period;
}

function withoutAdultPeriod(rule: RetentionRule, days: CareDays): RulePeriod {
  if (rule.deceased === null) return { kind: 'silent' };
  if (days.death === undefined)
    return { kind: 'unknown', why: `${rule.id} counts from death, which has not been noted` };
  return { kind: 'day', day: addYears(days.death, rule.deceased.years) };
}

function inForce(rule: RetentionRule, start: LocalDate): boolean {
  const { from, to } = rule.effective ?? {};
  if (from !== undefined && compareDates(start, from) < 0) return false;
  return to === undefined || compareDates(start, to) <= 0;
}

function withMinority(rule: RetentionRule, days: CareDays, start: LocalDate, adult: LocalDate): RulePeriod {
  const majority = rule.ageOfMajority ?? agesOfMajority[rule.jurisdiction] ?? 18;
  const { birth } = days;
  if (birth === undefined) {
    if (rule.minorRuleNotSeen === true)
      return { kind: 'unknown', why: `${rule.id} was not read for minors and the birth date has not been noted` };
    if (rule.minor === null || rule.minor.combine === 'earlier_of') return { kind: 'day', day: adult };
    // The youngest the patient can be: born on the day of the first contact. No birth date keeps longer than that one.
    return { kind: 'day', day: later(adult, minorDay(rule.minor, days.firstContact, majority, start)) };
  }
  const ofAge = addYears(birth, majority);
  const minorThen = compareDates(start, ofAge) < 0;
  const minorWhenRecorded = compareDates(days.own, ofAge) < 0;
  if (!minorThen && !minorWhenRecorded) return { kind: 'day', day: adult };
  if (rule.minorRuleNotSeen === true)
    return { kind: 'unknown', why: `${rule.id} was not read for minors, and the patient was one` };
  if (rule.minor === null) return { kind: 'day', day: adult };
  const minor = minorDay(rule.minor, birth, majority, start);
  // Recorded as a minor, but of age when the period began: texts differ on which counts, so the longer does.
  if (!minorThen) return { kind: 'day', day: rule.minor.combine === 'earlier_of' ? adult : later(adult, minor) };
  if (rule.minor.combine === 'replaces') return { kind: 'day', day: minor };
  return { kind: 'day', day: rule.minor.combine === 'later_of' ? later(adult, minor) : earlier(adult, minor) };
}

function minorDay(minor: MinorRule, birth: LocalDate, majority: number, start: LocalDate): LocalDate {
  switch (minor.rule) {
    case 'years_after_majority':
      return addYears(birth, majority + minor.n);
    case 'until_birthday': {
      const seventeen = compareDates(start, addYears(birth, 17)) >= 0;
      return addYears(birth, seventeen ? (minor.nIfSeventeen ?? minor.n) : minor.n);
    }
    case 'years_from_trigger':
      return addYears(start, minor.n);
  }
}

function withDeath(rule: RetentionRule, days: CareDays, day: LocalDate): LocalDate {
  if (rule.deceased === null || days.death === undefined) return day;
  const fromDeath = addYears(days.death, rule.deceased.years);
  if (rule.deceased.combine === 'replaces') return fromDeath;
  return rule.deceased.combine === 'later_of' ? later(day, fromDeath) : earlier(day, fromDeath);
}
