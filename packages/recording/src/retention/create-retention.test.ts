import type { RetentionFact } from '@medzen/core';
import { describe, expect, it } from 'vitest';
import { createRetention } from './create-retention.ts';
import { georgiaPsychologist } from './policy.ts';
import { retentionRules } from './rules.generated.ts';

const config = { rules: retentionRules, policies: [georgiaPsychologist] };

describe('createRetention', () => {
  it('has another version as soon as a rule or a policy differs, and the same one otherwise', () => {
    const { rulesVersion } = createRetention(config);
    expect(createRetention({ ...config, rules: [...retentionRules] }).rulesVersion).toBe(rulesVersion);
    expect(createRetention({ ...config, policies: [{ ...georgiaPsychologist, graceDays: 91 }] }).rulesVersion).not.toBe(
      rulesVersion,
    );
    const changed = retentionRules.map((rule) => ({ ...rule, adultYears: 8 }));
    expect(createRetention({ ...config, rules: changed }).rulesVersion).not.toBe(rulesVersion);
  });

  it.each([
    ['two rules of one id', { ...config, rules: [...retentionRules, ...retentionRules] }],
    ['two policies for one class', { ...config, policies: [georgiaPsychologist, georgiaPsychologist] }],
    [
      'a policy that confirms what is not there',
      { ...config, policies: [{ ...georgiaPsychologist, confirm: ['nowhere'] }] },
    ],
    [
      'a policy that warns before the grace begins',
      { ...config, policies: [{ ...georgiaPsychologist, warnDays: 91 }] },
    ],
    ['a grace that is no number of days', { ...config, policies: [{ ...georgiaPsychologist, graceDays: -1 }] }],
    ['years out of bounds', { rules: retentionRules.map((rule) => ({ ...rule, adultYears: 7.5 })) }],
    ['a rule without a citation', { rules: retentionRules.map((rule) => ({ ...rule, citation: '' })) }],
  ])('refuses %s', (_what, wrong) => {
    expect(() => createRetention(wrong)).toThrowError(expect.objectContaining({ code: 'invalid_configuration' }));
  });

  it('tells the local day, and refuses a fact on a day or in a zone that does not exist', () => {
    const retention = createRetention(config);
    expect(retention.dayOf(new Date('2026-11-21T02:00:00Z'), 'America/New_York')).toBe('2026-11-20');
    const fact = { id: 'f', patient: 'p', type: 'treatment', date: '2026-02-30', zone: 'America/New_York' } as const;
    const now = new Date('2026-11-21T15:00:00Z');
    const refused = (wrong: Partial<RetentionFact>, field: string, text: string) =>
      expect(() => retention.check({ ...fact, date: '2026-02-28', ...wrong }, now)).toThrowError(
        expect.objectContaining({
          code: 'invalid_input',
          pointers: [`/${field}`],
          message: expect.stringContaining(text),
        }),
      );
    refused({ date: '2026-02-30' }, 'date', 'YYYY-MM-DD');
    refused({ zone: 'Nowhere' }, 'zone', 'America/New_York');
    for (const date of ['1899-12-31', '2026-11-23', '2996-01-01', '9999-12-31'])
      refused({ date }, 'date', 'from 1900-01-01 to one day after today');
    refused({ type: 'void' }, 'voids', 'voids must name the fact');
    for (const date of ['1900-01-01', '2026-11-22']) retention.check({ ...fact, date }, now);
  });

  it('has the same version whatever the order of the rules and the wording of notes, citations and sources', () => {
    const { rulesVersion } = createRetention(config);
    const reworded = retentionRules.map((rule) => ({ ...rule, citation: 'c', source: 's', note: 'n' }));
    expect(createRetention({ ...config, rules: reworded.toReversed() }).rulesVersion).toBe(rulesVersion);
    for (const change of [{ confidence: 'operator' }, { maxYears: 99 }, { effective: { to: '2020-01-01' } }] as const) {
      const [first, ...rest] = retentionRules;
      if (first === undefined) throw new Error('no rules');
      expect(createRetention({ ...config, rules: [{ ...first, ...change }, ...rest] }).rulesVersion).not.toBe(
        rulesVersion,
      );
    }
    const confirmed = { ...georgiaPsychologist, confirm: ['us-ga-lpc'] };
    expect(createRetention({ ...config, policies: [confirmed] }).rulesVersion).not.toBe(rulesVersion);
  });

  it.each([
    ['a place by another code', { jurisdiction: 'GA' }, 'jurisdiction', 'did you mean US-GA?'],
    ['a place without rules', { jurisdiction: 'XX' }, 'jurisdiction', 'give a policy'],
    ['a class that the place does not know', { providerClass: 'therapist' }, 'providerClass', 'psychologist'],
    ['a city for a zone', { zone: 'Atlanta' }, 'zone', 'America/New_York'],
    ['an offset for a zone', { zone: 'UTC+5' }, 'zone', 'America/New_York'],
  ])('refuses %s, and says what is known', (_what, wrong, field, text) => {
    const retention = createRetention(config);
    const known = { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'America/New_York' };
    retention.checkClass(known);
    const [value] = Object.values(wrong);
    expect(() => retention.checkClass({ ...known, ...wrong })).toThrowError(
      expect.objectContaining({
        code: 'invalid_input',
        pointers: [`/retentionClass/${field}`],
        message: expect.stringMatching(
          new RegExp(`retentionClass.${field} "${value?.replace('+', '\\+')}" is not known`),
        ),
      }),
    );
    expect(() => retention.checkClass({ ...known, ...wrong })).toThrowError(text);
  });

  it('lets in what a policy decides, and a class whose law is known to give no period', () => {
    const zone = 'Africa/Douala';
    const rule = retentionRules.find(({ id }) => id === 'us-ga-psychologist');
    if (rule === undefined) throw new Error('no rule');
    const place = { jurisdiction: 'XX', providerClass: 'therapist' };
    const policy = {
      name: 'own',
      ...place,
      rules: [{ ...rule, id: 'own', ...place, confidence: 'operator' as const }],
    };
    createRetention({ rules: retentionRules, policies: [policy] }).checkClass({ ...place, zone });
    // A policy without a rule decides nothing.
    const empty = createRetention({ rules: retentionRules, policies: [{ name: 'own', ...place }] });
    expect(() => empty.checkClass({ ...place, zone })).toThrow('is not known');
    createRetention(config).checkClass({ jurisdiction: 'CM', providerClass: 'physician', zone });
    createRetention(config).checkClass({ jurisdiction: 'US-GA', providerClass: 'lpc', zone: 'America/New_York' });
  });
});
