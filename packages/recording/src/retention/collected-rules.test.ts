import { readFileSync } from 'node:fs';
import type { RetentionFact } from '@medzen/core';
import { describe, expect, it } from 'vitest';
import { createRetention } from './create-retention.ts';
import { evaluateRetention } from './evaluate.ts';
import type { RetentionRule } from './rule.ts';
import { retentionRules } from './rules.generated.ts';

const zone = 'UTC';
const fact = (type: RetentionFact['type'], date: string): RetentionFact => ({
  id: `${type}-${date}`,
  patient: 'p',
  type,
  date,
  zone,
});
const recorded = '2026-03-10T12:00:00.000Z';
const ended = [fact('treatment', '2026-04-01'), fact('discharge', '2026-04-20'), fact('therapy_ended', '2026-04-20')];
/** No fact can state what these count from: it happens to a practice, to a payment or to another person. */
function beyondFacts({ trigger }: RetentionRule): boolean {
  const text = typeof trigger === 'string' ? trigger : trigger.laterOf.join();
  return /contract_period_end|last_in_effect|practice_closed|practitioner_death|birth_of_last_child|payment_/.test(
    text,
  );
}

function evaluate(rule: RetentionRule, facts: readonly RetentionFact[], year: number) {
  return evaluateRetention(
    {
      retentionClass: { jurisdiction: rule.jurisdiction, providerClass: rule.providerClass, zone },
      startedAt: recorded,
      facts,
      holds: 0,
    },
    [rule],
    new Date(`${year}-01-01T00:00:00Z`),
    {
      name: 'confirmed',
      jurisdiction: rule.jurisdiction,
      providerClass: rule.providerClass,
      apply: [rule.id],
      confirm: [rule.id],
    },
  );
}

describe('the collected rules', () => {
  it('are the checked-in data, row by row, and each says where it was read', () => {
    const file = new URL('../../data/retention-rules.json', import.meta.url);
    const { rules } = JSON.parse(readFileSync(file, 'utf8')) as { rules: unknown[] }; // our own file, compared as a whole
    expect(retentionRules).toEqual(rules);
    expect(retentionRules.length).toBe(260);
    for (const { id, citation, source } of retentionRules)
      expect([id, citation.length > 5, source.length > 5]).toEqual([id, true, true]);
  });

  it('are all taken by the engine as a rule set', () => {
    expect(createRetention({ rules: retentionRules }).rulesVersion).toMatch(/^[0-9a-f]{32}$/);
  });

  it('have an id of their own that tells place and class, so that a decision can be read', () => {
    expect(new Set(retentionRules.map(({ id }) => id)).size).toBe(retentionRules.length);
    for (const { id, jurisdiction, providerClass } of retentionRules)
      expect(id).toBe(`${jurisdiction}-${providerClass}`.toLowerCase().replaceAll('_', '-'));
  });

  for (const [name, birth] of [
    ['an adult', '1970-05-01'],
    ['a child', '2018-05-01'],
    ['a seventeen-year-old', '2008-12-01'],
  ] as const) {
    it(`give ${name} a date that is never before the shortest reading, or say unknown with a reason`, () => {
      for (const rule of retentionRules) {
        const { id, adultYears, minor: minorRule } = rule;
        const decision = evaluate(rule, [fact('birth', birth), ...ended], 2027);
        const minor = birth > '2008-03-10';
        const undatable = adultYears === null || beyondFacts(rule) || (minor && rule.minorRuleNotSeen === true);
        if (undatable) {
          expect([id, decision.status]).toEqual([id, 'unknown']);
          expect(decision.explanation.length).toBeGreaterThan(40);
          continue;
        }
        const shortest = minorRule?.combine === 'later_of' || !minor || minorRule === null ? adultYears : 0;
        expect([id, Number(decision.retainUntil?.slice(0, 4)) >= 2026 + shortest]).toEqual([id, true]);
        if (minor && minorRule?.rule === 'until_birthday' && minorRule.combine !== 'earlier_of')
          expect([id, Number(decision.retainUntil?.slice(0, 4)) >= Number(birth.slice(0, 4)) + minorRule.n]).toEqual([
            id,
            true,
          ]);
        expect([id, decision.status]).toEqual([id, 'retain']);
        expect([id, evaluate(rule, [fact('birth', birth), ...ended], 2110).status]).toEqual([id, 'eligible']);
      }
    });
  }

  it('count from death where they say so, and let it shorten only in the four texts that do', () => {
    const shortening: string[] = [];
    for (const rule of retentionRules) {
      if (rule.deceased === null) continue;
      const alive = [fact('birth', '1950-01-01'), ...ended];
      const before = evaluate(rule, alive, 2027).retainUntil;
      const died = evaluate(rule, [...alive, fact('death', '2027-07-01')], 2027).retainUntil ?? '';
      if (before !== undefined && died < before) shortening.push(rule.id);
      else expect([rule.id, Number(died.slice(0, 4)) >= 2027 + rule.deceased.years]).toEqual([rule.id, true]);
    }
    expect(shortening).toEqual(['fr-hospital', 'gb-eng-mental-health', 'ie-mental-health', 'us-az-homeopathic']);
  });

  it('never let a row that was only seen in a compilation delete anything unconfirmed', () => {
    for (const rule of retentionRules) {
      if (rule.confidence !== 'secondary-seen') continue;
      const decision = evaluateRetention(
        {
          retentionClass: { jurisdiction: rule.jurisdiction, providerClass: rule.providerClass, zone },
          startedAt: recorded,
          facts: [fact('birth', '1950-01-01'), ...ended, fact('death', '2030-01-01')],
          holds: 0,
        },
        [rule],
        new Date('2200-01-01T00:00:00Z'),
      );
      expect([rule.id, decision.status]).toEqual([rule.id, 'unknown']);
    }
  });

  it('let nothing end a duty where the law was searched and gives no period, unless the operator decides', () => {
    const of = (providerClass: string, rules: readonly RetentionRule[], policy = {}) => {
      const place = { jurisdiction: 'US-NV', providerClass };
      return evaluateRetention(
        {
          retentionClass: { ...place, zone },
          startedAt: recorded,
          facts: [fact('birth', '1950-01-01'), ...ended],
          holds: 0,
        },
        rules,
        new Date('2200-01-01T00:00:00Z'),
        { name: 'clinic', ...place, ...policy },
      );
    };
    const [all] = retentionRules.filter(({ id }) => id === 'us-nv-all');
    if (all === undefined) throw new Error('us-nv-all is gone');
    const gap: RetentionRule = { ...all, id: 'gap', providerClass: 'lpc', adultYears: null, minor: null };
    const own: RetentionRule = { ...all, id: 'own', providerClass: 'lpc', confidence: 'operator' };
    expect(of('physician', [all]).status).toBe('eligible');
    expect(of('lpc', [all, gap])).toMatchObject({ status: 'unknown', undated: 'unknown' });
    expect(of('lpc', [all, gap]).explanation).toContain('gives no fixed period');
    expect(of('lpc', [all, gap], { rules: [own] }).status).toBe('eligible');
    expect(of('lpc', [all, gap], { confirm: ['gap'] }).status).toBe('eligible');
    // A class with a period of its own is not held up by a gap of its place as a whole.
    expect(
      of('lpc', [
        { ...gap, providerClass: 'all' },
        { ...own, confidence: 'primary-seen' },
      ]).status,
    ).toBe('eligible');
  });

  it('report a text that forbids keeping longer, and delete nothing by it', () => {
    const rule = retentionRules.find(({ id }) => id === 'us-co-lpc');
    if (rule === undefined) throw new Error('us-co-lpc is gone');
    const decision = evaluate(rule, [fact('birth', '2015-05-01'), ...ended], 2039);
    expect(decision.basis[0]).toMatchObject({ noLongerThan: '2038-04-20', until: '2040-05-02' });
    expect(decision).toMatchObject({ status: 'retain' });
    expect(decision.explanation).toContain('forbids keeping it after 2038-04-20');
  });
});
