import { readFileSync } from 'node:fs';
import type { RecordingParticipant } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requiredConsents } from './required.ts';
import { recordingConsentRules } from './rules.generated.ts';

const patient = (location?: string): RecordingParticipant => ({
  id: 'p1',
  role: 'patient',
  ...(location === undefined ? {} : { location }),
});
const provider = (location?: string): RecordingParticipant => ({
  id: 'd1',
  role: 'provider',
  ...(location === undefined ? {} : { location }),
});

describe('requiredConsents', () => {
  it('asks everyone by default, even where one party would do', () => {
    const answer = requiredConsents([patient('US-TX'), provider('US-NY')]);
    expect(answer).toMatchObject({ rule: 'one_party', required: ['p1', 'd1'] });
  });

  it('asks the patient alone in one-party places when the host follows the law only', () => {
    const answer = requiredConsents([patient('US-TX'), provider('US-NY')], { from: 'law' });
    expect(answer).toMatchObject({ rule: 'one_party', required: ['p1'] });
  });

  it('asks everyone when one of them is in an all-party place, and names its statute', () => {
    const answer = requiredConsents([patient('US-TX'), provider('US-CA')], { from: 'law' });
    expect(answer.required).toEqual(['p1', 'd1']);
    expect(answer.basis.map(({ citation }) => citation).join()).toContain('§ 632');
  });

  it('asks everyone observed in a video visit that touches Georgia', () => {
    const answer = requiredConsents([patient('US-GA'), provider('US-TX')], { from: 'law' });
    expect(answer).toMatchObject({ rule: 'all_party', required: ['p1', 'd1'] });
    expect(answer.basis[0]?.citation).toContain('16-11-62(2)');
  });

  it('takes an unknown place, and one without a rule, for the strictest', () => {
    for (const place of [undefined, 'CM', 'US-XX'])
      expect(requiredConsents([patient('US-TX'), provider(place)], { from: 'law' })).toMatchObject({
        rule: 'all_party',
        required: ['p1', 'd1'],
      });
  });

  it('refuses a session without participants', () => {
    expect(() => requiredConsents([])).toThrow('participants');
  });

  it('never asks fewer when a participant joins', () => {
    const place = fc.option(fc.constantFrom(...recordingConsentRules.map((rule) => rule.jurisdiction)), {
      nil: undefined,
    });
    fc.assert(
      fc.property(place, place, place, (a, b, c) => {
        const two = requiredConsents([patient(a), provider(b)], { from: 'law' });
        const guest = { id: 'g1', role: 'guest', ...(c === undefined ? {} : { location: c }) } as const;
        const three = requiredConsents([patient(a), provider(b), guest], { from: 'law' });
        expect(three.required).toEqual(expect.arrayContaining([...two.required]));
        if (two.rule === 'all_party') expect(three.rule).toBe('all_party');
      }),
    );
  });
});

describe('recordingConsentRules', () => {
  it('has one row for each state and the District, each with citation and source', () => {
    expect(new Set(recordingConsentRules.map((rule) => rule.jurisdiction)).size).toBe(51);
    expect(recordingConsentRules).toHaveLength(51);
    for (const rule of recordingConsentRules) expect([rule.citation, rule.source]).not.toContain('');
  });

  it('is the checked-in data, row by row', () => {
    const file = new URL('../../data/consent-rules.json', import.meta.url);
    const { rules } = JSON.parse(readFileSync(file, 'utf8')) as { rules: unknown[] }; // our own file, compared as a whole
    expect(recordingConsentRules).toEqual(rules);
  });

  it('is never more lenient than what was read of either mode, and follows mixed texts as all-party', () => {
    for (const { jurisdiction, rule, inPerson, electronic } of recordingConsentRules) {
      const strict = [inPerson, electronic].some((mode) => mode !== undefined && mode !== 'one_party');
      expect([jurisdiction, strict && rule === 'one_party']).toEqual([jurisdiction, false]);
    }
  });
});
