import type { RetentionClass } from '@medzen/core';
import { createRetention, type Retention, type RetentionPolicy, type RetentionRule } from '@medzen/recording';
import type { TruePeriod, TrueRules } from './promises/oracle.ts';

/** Rules as they are given to the code, and as the oracle reads them. */
export interface RuleSet {
  readonly retention: Retention;
  readonly truth: TrueRules;
  /** The last day of a law that another has replaced, and what applies without it. */
  readonly replaced?: { readonly to: string; readonly retention: Retention };
}

const place = { jurisdiction: 'US-GA', providerClass: 'psychologist' } as const;

/** The class of every recording of a world. */
export const retentionClass: RetentionClass = { ...place, zone: 'America/New_York' };

function rule(id: string, { years: adultYears, from, to }: TruePeriod): RetentionRule {
  return {
    ...place,
    id,
    effective: { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) },
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

function ruleSet(name: string, periods: readonly TruePeriod[], graceDays: number, warnDays: number): RuleSet {
  const policy: RetentionPolicy = { ...place, name, graceDays, warnDays };
  const rules = periods.map((period, n) => rule(`${name}-rule-${n + 1}`, period));
  const standing = rules.filter(({ effective }) => effective?.to === undefined);
  const to = periods.find((period) => period.to !== undefined)?.to;
  return {
    retention: createRetention({ rules, policies: [policy] }),
    truth: { name, periods, minorYears: 21, graceDays, warnDays },
    ...(to === undefined
      ? {}
      : { replaced: { to, retention: createRetention({ rules: standing, policies: [policy] }) } }),
  };
}

/** The rules of an installation over the years: the duty is lengthened, and shortened again, by new rules and by a new law. */
export const ruleSets: readonly RuleSet[] = [
  ruleSet('seven-years', [{ years: 7 }], 90, 30),
  ruleSet('eight-years', [{ years: 8 }], 90, 30),
  ruleSet('seven-years-short-grace', [{ years: 7 }], 60, 20),
  ruleSet(
    'new-law',
    [
      { years: 20, to: '2028-06-30' },
      { years: 5, from: '2028-07-01' },
    ],
    90,
    30,
  ),
];
