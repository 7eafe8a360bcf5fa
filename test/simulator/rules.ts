import type { RetentionClass } from '@medzen/core';
import { createRetention, type Retention, type RetentionPolicy, type RetentionRule } from '@medzen/recording';
import type { TrueRules } from './oracle.ts';

/** Rules as they are given to the code, and as the oracle reads them. */
export interface RuleSet {
  readonly retention: Retention;
  readonly truth: TrueRules;
}

const place = { jurisdiction: 'US-GA', providerClass: 'psychologist' } as const;

/** The class of every recording of a world. */
export const retentionClass: RetentionClass = { ...place, zone: 'America/New_York' };

function rule(id: string, adultYears: number): RetentionRule {
  return {
    ...place,
    id,
    kind: 'minimum_retention',
    adultYears,
    trigger: 'last_treatment',
    minor: { rule: 'years_after_majority', n: 3, combine: 'later_of' },
    deceased: null,
    citation: 'The simulator',
    source: 'The simulator',
    confidence: 'primary-seen',
  };
}

function ruleSet(name: string, years: number, graceDays: number, warnDays: number): RuleSet {
  const policy: RetentionPolicy = { ...place, name, graceDays, warnDays };
  return {
    retention: createRetention({ rules: [rule(`${name}-rule`, years)], policies: [policy] }),
    truth: { name, years, minorYears: 21, graceDays, warnDays },
  };
}

/** The rules of an installation over the years: the duty is lengthened, and shortened again. */
export const ruleSets: readonly RuleSet[] = [
  ruleSet('seven-years', 7, 90, 30),
  ruleSet('eight-years', 8, 90, 30),
  ruleSet('seven-years-short-grace', 7, 60, 20),
];
