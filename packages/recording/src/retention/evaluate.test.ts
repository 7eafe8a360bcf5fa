import type { RetentionFact } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RetentionInput } from './decision.ts';
import { evaluateRetention } from './evaluate.ts';
import { georgiaPsychologist, type RetentionPolicy } from './policy.ts';
import type { RetentionRule } from './rule.ts';
import { retentionRules } from './rules.generated.ts';

const zone = 'America/New_York';
const psychologist = { jurisdiction: 'US-GA', providerClass: 'psychologist', zone };

let serial = 0;
function fact(type: RetentionFact['type'], date: string): RetentionFact {
  serial += 1;
  return { id: `fact-${serial}`, patient: 'p1', type, date, zone };
}
const adult = fact('birth', '1980-05-01');

function input(more: Partial<RetentionInput> = {}): RetentionInput {
  return { retentionClass: psychologist, startedAt: '2026-11-21T15:00:00.000Z', facts: [adult], holds: 0, ...more };
}
function at(instant: string): Date {
  return new Date(instant);
}
function ask(more: Partial<RetentionInput> = {}, now = '2026-12-01T00:00:00Z', policy?: RetentionPolicy) {
  return evaluateRetention(input(more), retentionRules, at(now), policy ?? georgiaPsychologist);
}
const secondary: RetentionRule = {
  id: 'secondary',
  jurisdiction: 'US-GA',
  providerClass: 'psychologist',
  kind: 'minimum_retention',
  adultYears: 9,
  trigger: 'last_treatment',
  minor: null,
  deceased: null,
  citation: 'a compilation',
  source: 'somewhere',
  confidence: 'secondary-seen',
};

describe('evaluateRetention', () => {
  it('keeps seven years from the last treatment, and ends at the local midnight after the anniversary', () => {
    const decision = ask({ facts: [adult, fact('treatment', '2027-03-10')] });
    expect(decision).toMatchObject({ status: 'retain', retainUntil: '2034-03-11T05:00:00.000Z' });
    expect(decision.basis[0]).toMatchObject({
      ruleId: 'us-ga-psychologist',
      citation: 'Ga. Comp. R. & Regs. 510-5-.04(2)',
      confidence: 'primary-seen',
      until: '2034-03-11',
    });
  });

  it('counts the local day: late in the evening in Georgia is not yet the next day', () => {
    expect(ask({ startedAt: '2026-11-22T03:30:00.000Z' }).retainUntil).toBe('2033-11-22T05:00:00.000Z');
  });

  it('gives 90 days of grace, and warns 30 days before they end, by calendar days across a change of clocks', () => {
    const decision = ask({ startedAt: '2026-01-15T15:00:00.000Z' });
    expect(decision).toMatchObject({
      retainUntil: '2033-01-16T05:00:00.000Z',
      warnAt: '2033-03-17T04:00:00.000Z',
      graceUntil: '2033-04-16T04:00:00.000Z',
    });
  });

  it('passes through retain, grace, warn and eligible at exactly those instants', () => {
    const { retainUntil = '', warnAt = '', graceUntil = '' } = ask();
    const before = (instant: string) => new Date(Date.parse(instant) - 1).toISOString();
    expect(
      [before(retainUntil), retainUntil, before(warnAt), warnAt, before(graceUntil), graceUntil].map(
        (now) => ask({}, now).status,
      ),
    ).toEqual(['retain', 'grace', 'grace', 'warn', 'warn', 'eligible']);
  });

  it('takes 29 February and seven years for 1 March, so that it is deletable from 2 March on', () => {
    expect(ask({ startedAt: '2028-02-29T15:00:00.000Z' }).retainUntil).toBe('2035-03-02T05:00:00.000Z');
  });

  it('does not take 2,555 days for seven years', () => {
    const sevenYears = Date.parse(ask().retainUntil ?? '') - Date.parse('2026-11-22T05:00:00.000Z');
    expect(sevenYears / 86_400_000).toBe(2557);
  });

  it('keeps a child’s record until three years after majority, and longer when treatment went on', () => {
    expect(ask({ facts: [fact('birth', '2020-06-15')] }).retainUntil).toBe('2041-06-16T04:00:00.000Z');
    expect(ask({ facts: [fact('birth', '2010-06-15'), fact('treatment', '2030-01-10')] }).retainUntil).toBe(
      '2037-01-11T05:00:00.000Z',
    );
  });

  it('takes a patient without a birth date for born on the day of the recording, and says so', () => {
    const decision = ask({ facts: [] });
    expect(decision).toMatchObject({ retainUntil: '2047-11-22T05:00:00.000Z', missing: ['birth'] });
    expect(decision.explanation).toContain('No birth date is noted');
    expect(decision.explanation).toContain('kept as if a minor by us-ga-psychologist');
    // An earlier contact does not make the patient older: a fact that is added never brings the end nearer.
    expect(ask({ facts: [fact('treatment', '2020-02-01')] }).retainUntil).toBe(decision.retainUntil);
    expect(ask()).toMatchObject({ missing: [], assumptions: [] });
  });

  it('does not ask for a birth date where no rule does', () => {
    const physician = { ...psychologist, providerClass: 'physician' };
    expect(ask({ retentionClass: physician, facts: [] }).missing).toEqual([]);
  });

  it('names the fact that a rule counts from, and says when no fact can state it', () => {
    const of = (trigger: RetentionRule['trigger'], facts: readonly RetentionFact[] = [adult]) =>
      evaluateRetention(
        input({ facts }),
        [{ ...secondary, confidence: 'primary-seen', trigger }],
        at('2027-01-01T00:00:00Z'),
      );
    expect(of('discharge')).toMatchObject({ status: 'unknown', undated: 'unknown', missing: ['discharge'] });
    expect(of('therapy_terminated').missing).toEqual(['therapy_ended']);
    expect(of('death').missing).toEqual(['death']);
    expect(of({ laterOf: ['last_contact', 'termination_of_services'] }).missing).toEqual(['therapy_ended']);
    expect(of('contract_period_end')).toMatchObject({ status: 'unknown', missing: [] });
    expect(of('contract_period_end').explanation).toContain('a policy must decide');
  });

  it('counts neither a fact that was taken back nor what took it back, and a void of a void brings it back', () => {
    const mistake = fact('death', '2026-12-01');
    const correction = { ...fact('void', '2026-12-02'), voids: mistake.id };
    const again = { ...fact('void', '2026-12-03'), voids: correction.id };
    const rule: RetentionRule = {
      ...secondary,
      confidence: 'primary-seen',
      deceased: { years: 1, combine: 'replaces' },
    };
    const of = (...facts: RetentionFact[]) =>
      evaluateRetention(input({ facts: [adult, ...facts] }), [rule], at('2026-12-05T00:00:00Z'));
    expect(of(mistake).retainUntil?.slice(0, 4)).toBe('2027');
    expect(of(mistake, correction)).toMatchObject({ voided: [mistake.id] });
    expect(of(mistake, correction).retainUntil?.slice(0, 4)).toBe('2035');
    expect(of(mistake, correction).explanation).toContain('1 fact was taken back as mistaken');
    expect(of(mistake, correction, again)).toMatchObject({ voided: [correction.id] });
    expect(of(mistake, correction, again).retainUntil?.slice(0, 4)).toBe('2027');
  });

  it('replaces a mistaken birth date by the corrected one, though the mistaken one would keep longer', () => {
    const mistake = fact('birth', '2020-06-15');
    const corrected = { ...fact('birth', '1980-06-15'), voids: mistake.id };
    expect(ask({ facts: [mistake, corrected] }).retainUntil).toBe(ask().retainUntil);
  });

  it('keeps to the floor of the recording where that is longer', () => {
    const decision = ask({ keepUntil: '2040-06-01T12:00:00Z' });
    expect(decision.retainUntil).toBe('2040-06-02T04:00:00.000Z');
    expect(decision.explanation).toContain('A floor set for this recording keeps it until 2040-06-02');
    expect(ask({ keepUntil: '2027-06-01T12:00:00Z' })).toEqual(ask());
  });

  it('takes a patient who was treated later for alive until then', () => {
    const rule: RetentionRule = {
      ...secondary,
      confidence: 'primary-seen',
      deceased: { years: 3, combine: 'replaces' },
    };
    const of = (...facts: RetentionFact[]) =>
      evaluateRetention(input({ facts: [adult, ...facts] }), [rule], at('2027-01-01T00:00:00Z')).retainUntil;
    expect(of(fact('death', '2020-01-01'))).toBe('2029-11-22T05:00:00.000Z');
    expect(of(fact('death', '2020-01-01'), fact('treatment', '2030-01-01'))).toBe('2033-01-02T05:00:00.000Z');
  });

  it('lets what a rule bound while it was in force stay bound after later care', () => {
    const texas = { jurisdiction: 'US-TX', providerClass: 'psychologist', zone: 'America/Chicago' };
    const base = { ...secondary, ...texas, confidence: 'primary-seen' as const };
    const rules: RetentionRule[] = [
      { ...base, id: 'old', adultYears: 10, effective: { to: '2020-12-31' } },
      { ...base, id: 'new', adultYears: 5, effective: { from: '2021-01-01' } },
    ];
    const of = (startedAt: string, ...facts: RetentionFact[]) =>
      evaluateRetention(
        input({ retentionClass: texas, startedAt, facts: [adult, ...facts] }),
        rules,
        at('2026-11-21T00:00:00Z'),
      );
    const before = of('2020-06-01T15:00:00Z');
    const after = of('2020-06-01T15:00:00Z', fact('treatment', '2021-01-04'));
    expect(before.basis.map(({ ruleId, until }) => [ruleId, until])).toEqual([['old', '2030-06-02']]);
    expect(after.basis.map(({ ruleId, until }) => [ruleId, until])).toEqual([
      ['old', '2030-06-02'],
      ['new', '2026-01-05'],
    ]);
    // What was recorded after it had gone out of force was never bound by it.
    expect(of('2021-02-01T15:00:00Z').basis.map(({ ruleId }) => ruleId)).toEqual(['new']);
  });

  it('keeps the longer of two dates on which one claim was said to be closed', () => {
    const opened = fact('claim_opened', '2030-01-01');
    const of = (...dates: string[]) =>
      ask({ facts: [adult, opened, ...dates.map((date) => fact('claim_closed', date))] }).retainUntil;
    expect(of('2030-01-03', '2030-01-10')).toBe(of('2030-01-10'));
  });

  it('lets a legal hold beat everything, and still says what would hold without it', () => {
    const decision = ask({ holds: 1 }, '2050-01-01T00:00:00Z');
    expect(decision).toMatchObject({ status: 'held', retainUntil: '2033-11-22T05:00:00.000Z' });
    expect(decision.explanation).toContain('legal hold');
  });

  it('gives no date while a claim is open, and adds the days it was open once it is closed', () => {
    const opened = fact('claim_opened', '2030-01-01');
    const open = ask({ facts: [adult, opened] }, '2050-01-01T00:00:00Z');
    expect(open.status).toBe('held');
    expect(open).not.toHaveProperty('graceUntil');
    const closed = ask({ facts: [adult, opened, fact('claim_closed', '2030-01-10')] });
    expect(closed.retainUntil).toBe('2033-12-02T05:00:00.000Z');
  });

  it('lets no closing end a claim that was opened after it', () => {
    const opened = fact('claim_opened', '2030-01-10');
    // Of a claim whose opening nobody noted, and one closing noted by two people.
    for (const others of [
      [fact('claim_closed', '2029-06-01')],
      [fact('claim_opened', '2029-01-01'), fact('claim_closed', '2029-06-01'), fact('claim_closed', '2029-06-01')],
    ])
      expect(ask({ facts: [adult, opened, ...others] }, '2050-01-01T00:00:00Z')).toMatchObject({ status: 'held' });
  });

  it('ends no earlier than midnight where the treatment was', () => {
    const treated = (zone: string) => ask({ facts: [adult, { ...fact('treatment', '2027-03-10'), zone }] });
    expect(treated('Pacific/Honolulu')).toMatchObject({
      retainUntil: '2034-03-11T10:00:00.000Z',
      graceUntil: '2034-06-09T10:00:00.000Z',
    });
    expect(treated('Asia/Tokyo').retainUntil).toBe('2034-03-11T05:00:00.000Z');
  });

  it('does not open a period again for a claim that came after it', () => {
    const late = [adult, fact('claim_opened', '2040-01-01'), fact('claim_closed', '2041-01-01')];
    expect(ask({ facts: late }).retainUntil).toBe(ask().retainUntil);
  });

  it('lets an object lock lengthen, never shorten', () => {
    expect(ask({ lockedUntil: '2040-06-01T12:00:00Z' }).retainUntil).toBe('2040-06-02T04:00:00.000Z');
    expect(ask({ lockedUntil: '2027-06-01T12:00:00Z' }).retainUntil).toBe(ask().retainUntil);
  });

  it('says unknown where no rule is known', () => {
    const elsewhere = { jurisdiction: 'CM', providerClass: 'physician', zone: 'Africa/Douala' };
    const decision = ask({ retentionClass: elsewhere }, '2090-01-01T00:00:00Z');
    expect(decision).toMatchObject({ status: 'unknown', basis: [{ ruleId: 'cm-all' }] });
    const nowhere = ask({ retentionClass: { ...elsewhere, jurisdiction: 'XX' } }, '2090-01-01T00:00:00Z');
    expect(nowhere).toMatchObject({ status: 'unknown', basis: [] });
    expect(decision).not.toHaveProperty('retainUntil');
  });

  it('lets a rule known from a compilation lengthen a duty but never end one alone', () => {
    const both = evaluateRetention(input(), [...retentionRules, secondary], at('2027-01-01T00:00:00Z'));
    expect(both).toMatchObject({ status: 'retain', retainUntil: '2035-11-22T05:00:00.000Z' });
    const alone = evaluateRetention(input(), [secondary], at('2090-01-01T00:00:00Z'));
    expect(alone.status).toBe('unknown');
    const confirmed = evaluateRetention(input(), [secondary], at('2090-01-01T00:00:00Z'), {
      ...georgiaPsychologist,
      confirm: ['secondary'],
    });
    expect(confirmed.status).toBe('eligible');
  });

  it('applies a recommendation only when a policy names it', () => {
    const advice: RetentionRule = { ...secondary, id: 'advice', kind: 'recommendation', adultYears: 20 };
    const rules = [...retentionRules, advice];
    expect(evaluateRetention(input(), rules, at('2027-01-01T00:00:00Z')).retainUntil).toBe('2033-11-22T05:00:00.000Z');
    const named = evaluateRetention(input(), rules, at('2027-01-01T00:00:00Z'), {
      ...georgiaPsychologist,
      apply: ['advice'],
    });
    expect(named.retainUntil).toBe('2046-11-22T05:00:00.000Z');
  });

  it('is unknown for a minor when the rule was not read for minors, or may be one', () => {
    const adultsOnly: RetentionRule = { ...secondary, confidence: 'primary-seen', minorRuleNotSeen: true };
    const of = (facts: readonly RetentionFact[]) =>
      evaluateRetention(input({ facts }), [adultsOnly], at('2090-01-01T00:00:00Z')).status;
    expect([of([fact('birth', '2020-01-01')]), of([]), of([adult])]).toEqual(['unknown', 'unknown', 'eligible']);
  });

  it('is unknown until the discharge that a rule counts from was noted, and again when a treatment follows it', () => {
    const hospital: RetentionRule = { ...secondary, confidence: 'primary-seen', trigger: 'discharge' };
    const of = (...facts: RetentionFact[]) =>
      evaluateRetention(input({ facts: [adult, ...facts] }), [hospital], at('2027-01-01T00:00:00Z'));
    expect(of().status).toBe('unknown');
    expect(of(fact('discharge', '2026-12-01')).retainUntil).toBe('2035-12-02T05:00:00.000Z');
    expect(of(fact('discharge', '2026-12-01'), fact('treatment', '2026-12-20')).status).toBe('unknown');
    expect(of(fact('death', '2026-12-24')).retainUntil).toBe('2035-12-25T05:00:00.000Z');
  });

  it('keeps the longer of both where a child’s period replaces that of adults and the child grew up in treatment', () => {
    const replaced: RetentionRule = {
      ...secondary,
      confidence: 'primary-seen',
      adultYears: 5,
      minor: { rule: 'until_birthday', n: 25, combine: 'replaces' },
    };
    const of = (...facts: RetentionFact[]) =>
      evaluateRetention(
        input({ facts: [fact('birth', '2012-03-01'), ...facts] }),
        [replaced],
        at('2027-01-01T00:00:00Z'),
      ).retainUntil;
    expect([of(), of(fact('treatment', '2031-06-01')), of(fact('treatment', '2034-06-01'))]).toEqual([
      '2037-03-02T05:00:00.000Z',
      '2037-03-02T05:00:00.000Z',
      '2039-06-02T04:00:00.000Z',
    ]);
  });

  it('takes the sooner for a minor only where the text says so in as many words', () => {
    const whichever = (combine: 'earlier_of' | 'later_of') =>
      evaluateRetention(
        input({ facts: [fact('birth', '2012-03-01')] }),
        [{ ...secondary, confidence: 'primary-seen', minor: { rule: 'years_after_majority', n: 3, combine } }],
        at('2027-01-01T00:00:00Z'),
      ).retainUntil;
    expect([whichever('earlier_of'), whichever('later_of')]).toEqual([
      '2033-03-02T05:00:00.000Z',
      '2035-11-22T05:00:00.000Z',
    ]);
  });

  it('keeps until the 26th birthday one who was seventeen, where the text has it', () => {
    const rule: RetentionRule = {
      ...secondary,
      confidence: 'primary-seen',
      minor: { rule: 'until_birthday', n: 25, combine: 'replaces', nIfSeventeen: 26 },
    };
    const of = (birth: string) =>
      evaluateRetention(input({ facts: [fact('birth', birth)] }), [rule], at('2027-01-01T00:00:00Z')).retainUntil;
    expect([of('2009-06-01'), of('2010-06-01')]).toEqual(['2035-06-02T04:00:00.000Z', '2035-06-02T04:00:00.000Z']);
  });

  it('lets death lengthen, shorten or replace, as the text says', () => {
    const of = (combine: 'later_of' | 'earlier_of' | 'replaces', death: string) =>
      evaluateRetention(
        input({ facts: [adult, fact('death', death)] }),
        [{ ...secondary, confidence: 'primary-seen', deceased: { years: 3, combine } }],
        at('2027-01-01T00:00:00Z'),
      ).retainUntil?.slice(0, 4);
    expect([of('later_of', '2030-01-01'), of('later_of', '2035-06-01')]).toEqual(['2035', '2038']);
    expect([of('earlier_of', '2030-01-01'), of('earlier_of', '2035-06-01')]).toEqual(['2033', '2035']);
    expect([of('replaces', '2030-01-01'), of('replaces', '2035-06-01')]).toEqual(['2033', '2038']);
  });

  it('uses the operator’s own minimum where the law gives none', () => {
    const policy: RetentionPolicy = {
      name: 'clinic-douala',
      jurisdiction: 'CM',
      providerClass: 'physician',
      rules: [
        {
          ...secondary,
          id: 'own',
          jurisdiction: 'CM',
          providerClass: 'physician',
          adultYears: 10,
          confidence: 'operator',
        },
      ],
      graceDays: 10,
      warnDays: 30,
    };
    const decision = ask(
      { retentionClass: { jurisdiction: 'CM', providerClass: 'physician', zone: 'Africa/Douala' }, facts: [] },
      undefined,
      policy,
    );
    expect(decision).toMatchObject({
      retainUntil: '2036-11-21T23:00:00.000Z',
      warnAt: '2036-11-21T23:00:00.000Z',
      graceUntil: '2036-12-01T23:00:00.000Z',
    });
  });

  it('binds only periods that start while a rule is in force', () => {
    const future: RetentionRule = {
      ...secondary,
      id: 'future',
      confidence: 'primary-seen',
      adultYears: 30,
      effective: { from: '2030-01-01' },
    };
    const of = (...facts: RetentionFact[]) =>
      evaluateRetention(input({ facts: [adult, ...facts] }), [...retentionRules, future], at('2027-01-01T00:00:00Z'))
        .basis[0]?.ruleId;
    expect([of(), of(fact('treatment', '2030-01-01'))]).toEqual(['us-ga-psychologist', 'future']);
  });

  it('counts the Georgia physician’s ten years from the record itself, not from later treatment', () => {
    const physician = { ...psychologist, providerClass: 'physician' };
    const decision = ask({ retentionClass: physician, facts: [adult, fact('treatment', '2035-01-01')] });
    expect(decision.retainUntil).toBe('2036-11-22T05:00:00.000Z');
  });

  it('refuses an unknown zone and a date that does not exist', () => {
    expect(() => ask({ retentionClass: { ...psychologist, zone: 'Mars/Olympus' } })).toThrow('zone');
    expect(() => ask({ facts: [fact('treatment', '2027-02-29')] })).toThrow('Date must be a day of the calendar');
  });
});

// An independent statement of the Georgia rule: counting on the proleptic calendar by hand, and asking Intl for the local hour.
function addYearsByHand(day: string, years: number): string {
  const [y = 0, m = 0, d = 0] = day.split('-').map(Number);
  const leap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const moved = m === 2 && d === 29 && !leap(y + years) ? [y + years, 3, 1] : [y + years, m, d];
  return moved.map((part, index) => String(part).padStart(index === 0 ? 4 : 2, '0')).join('-');
}
function nextDayByHand(day: string, count: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + count * 86_400_000).toISOString().slice(0, 10);
}
function localText(instant: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(
    new Date(instant),
  );
}

describe('evaluateRetention against an independent statement of the Georgia rule', () => {
  const day = fc
    .date({ min: new Date('2000-01-01'), max: new Date('2060-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10));
  const births = fc
    .date({ min: new Date('1930-01-01'), max: new Date('1999-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10));

  it('agrees on the last day, the warning and the end of the grace', () => {
    fc.assert(
      fc.property(day, fc.array(day, { maxLength: 4 }), births, (own, treatments, birth) => {
        const facts = [fact('birth', birth), ...treatments.map((date) => fact('treatment', date))];
        const decision = ask({ startedAt: `${own}T17:00:00.000Z`, facts });
        const last = [own, ...treatments].sort().at(-1) ?? own;
        const anniversary = [addYearsByHand(last, 7), addYearsByHand(birth, 21)].sort().at(-1) ?? '';
        const end = nextDayByHand(anniversary, 1);
        expect(localText(decision.retainUntil ?? '')).toBe(`${end} 00:00:00`);
        expect(localText(decision.graceUntil ?? '')).toBe(`${nextDayByHand(end, 90)} 00:00:00`);
        expect(localText(decision.warnAt ?? '')).toBe(`${nextDayByHand(end, 60)} 00:00:00`);
      }),
    );
  });

  it('never lets a treatment bring the end nearer, whatever the shape of the rules', () => {
    const triggers = [
      'last_treatment',
      'last_contact',
      'record_created',
      'discharge',
      'therapy_terminated',
      'death',
    ] as const;
    const combine = fc.constantFrom('later_of' as const, 'earlier_of' as const, 'replaces' as const);
    const years = fc.integer({ min: 0, max: 30 });
    const shape: fc.Arbitrary<RetentionRule> = fc
      .record({
        adultYears: fc.option(years, { freq: 30 }),
        trigger: fc.oneof(
          fc.constantFrom(...triggers),
          fc.array(fc.constantFrom(...triggers), { minLength: 1, maxLength: 3 }).map((laterOf) => ({ laterOf })),
        ),
        minor: fc.option(
          fc.record({
            rule: fc.constantFrom(
              'years_after_majority' as const,
              'until_birthday' as const,
              'years_from_trigger' as const,
            ),
            n: years,
            combine,
            nIfSeventeen: years,
          }),
        ),
        deceased: fc.option(fc.record({ years, combine })),
        from: fc.option(day, { nil: undefined }),
        to: fc.option(day, { nil: undefined }),
        confidence: fc.constantFrom<RetentionRule['confidence']>(
          'primary-seen',
          'primary-seen',
          'primary-seen',
          'secondary-seen',
        ),
      })
      .map(({ from, to, ...rest }) => ({
        ...secondary,
        ...rest,
        effective: { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) },
      }));
    const types = ['birth', 'death', 'treatment', 'discharge', 'therapy_ended', 'claim_closed'] as const;
    const anyFact = fc.record({ type: fc.constantFrom(...types), date: day });
    let dated = 0;
    fc.assert(
      fc.property(
        fc.array(shape, { minLength: 1, maxLength: 3 }),
        day,
        fc.array(anyFact, { maxLength: 6 }),
        day,
        (shapes, own, given, extra) => {
          const rules = shapes.map((rule, i) => ({ ...rule, id: `r${i}` }));
          const facts = given.map(({ type, date }) => fact(type, date));
          const of = (all: readonly RetentionFact[]) =>
            evaluateRetention(
              input({ startedAt: `${own}T17:00:00.000Z`, facts: all }),
              rules,
              at('2027-01-01T00:00:00Z'),
            );
          const before = of(facts).graceUntil;
          if (before === undefined) return;
          dated += 1;
          const after = of([...facts, fact('treatment', extra)]).graceUntil;
          // No date at all keeps for ever.
          expect(after === undefined || after >= before).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
    expect(dated).toBeGreaterThan(300);
  });

  it('never lets a treatment, a claim or a hold bring a deletion nearer', () => {
    fc.assert(
      fc.property(
        day,
        fc.array(day, { maxLength: 3 }),
        births,
        day,
        fc.nat(400),
        (own, treatments, birth, extra, open) => {
          const facts = [fact('birth', birth), ...treatments.map((date) => fact('treatment', date))];
          const startedAt = `${own}T17:00:00.000Z`;
          const before = ask({ startedAt, facts }).graceUntil ?? '';
          const treated = ask({ startedAt, facts: [...facts, fact('treatment', extra)] }).graceUntil ?? '';
          const claimed = ask({
            startedAt,
            facts: [...facts, fact('claim_opened', extra), fact('claim_closed', nextDayByHand(extra, open))],
          }).graceUntil;
          expect(treated >= before).toBe(true);
          expect((claimed ?? '') >= before).toBe(true);
          expect(ask({ startedAt, facts, holds: 1 }, '2200-01-01T00:00:00Z').status).toBe('held');
        },
      ),
    );
  });

  it('never deletes earlier for want of a birth date', () => {
    fc.assert(
      fc.property(day, births, (own, birth) => {
        const startedAt = `${own}T17:00:00.000Z`;
        const known = ask({ startedAt, facts: [fact('birth', birth)] }).graceUntil ?? '';
        const unknown = ask({ startedAt, facts: [] }).graceUntil ?? '';
        expect(unknown >= known).toBe(true);
      }),
    );
  });
});
