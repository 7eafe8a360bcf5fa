import type { RetentionRule } from './rule.ts';

/** The rules that come with the package. */
export const retentionRules: readonly RetentionRule[] = [
  {
    id: 'us-ga-psychologist',
    jurisdiction: 'US-GA',
    providerClass: 'psychologist',
    kind: 'minimum_retention',
    adultYears: 7,
    trigger: 'last_treatment',
    minor: { rule: 'years_after_majority', n: 3, combine: 'later_of' },
    deceased: null,
    citation: 'Ga. Comp. R. & Regs. 510-5-.04(2)',
    source: 'regulations.justia.com (through 2024-09-23); casetext',
    confidence: 'primary-seen',
    note: 'O.C.G.A. § 43-39-16, often cited for it, is the psychologist–patient privilege statute and sets no period.',
  },
  {
    id: 'us-ga-physician',
    jurisdiction: 'US-GA',
    providerClass: 'physician',
    kind: 'minimum_retention',
    adultYears: 10,
    trigger: 'record_created',
    minor: null,
    deceased: null,
    citation: 'O.C.G.A. § 31-33-2(a)(1)(A)',
    source: 'law.justia.com, Georgia Code § 31-33-2 (2022); casetext (2023–24)',
    confidence: 'primary-seen',
    note: 'Counts from the creation of each item, not from the last treatment. Does not reach mental-health records (§ 31-33-4).',
  },
];
