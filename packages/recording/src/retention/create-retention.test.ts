import { describe, expect, it } from 'vitest';
import { createRetention } from './create-retention.ts';
import { georgiaPsychologist } from './policy.ts';
import { retentionRules } from './rules.ts';

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
    expect(() => retention.check(fact)).toThrowError(expect.objectContaining({ code: 'invalid_input' }));
    expect(() => retention.check({ ...fact, date: '2026-02-28', zone: 'Nowhere' })).toThrowError(
      expect.objectContaining({ code: 'invalid_input' }),
    );
  });
});
