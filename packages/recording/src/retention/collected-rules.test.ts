import { existsSync, readFileSync } from 'node:fs';
import type { RetentionFact } from '@medzen/core';
import { describe, expect, it } from 'vitest';
import { createRetention } from './create-retention.ts';
import { evaluateRetention } from './evaluate.ts';
import type { RetentionRule } from './rule.ts';
import { retentionRules } from './rules.ts';

const file = new URL('../../../../../shared/data/retention/medical-record-retention.json', import.meta.url);

/** A row of the collected facts, as that file documents it. */
interface Row {
  jurisdiction: string;
  provider_class: string;
  kind: RetentionRule['kind'];
  adult_years: number | null;
  trigger: string;
  minor: {
    rule: 'years_after_majority' | 'until_birthday' | 'years_from_trigger';
    n: number;
    combine: 'later_of' | 'earlier_of' | 'replaces';
  } | null;
  minor_rule?: 'not_seen';
  deceased: { years: number; from: 'death' } | null;
  citation: string;
  source: string;
  confidence: 'primary-seen' | 'secondary-seen';
  note: string;
}

function rows(): readonly Row[] {
  if (!existsSync(file))
    throw new Error('shared/data/retention/medical-record-retention.json is absent beside the repository');
  return (JSON.parse(readFileSync(file, 'utf8')) as { rules: Row[] }).rules; // the file's documented shape
}

function convert(row: Row, index: number): RetentionRule {
  const parts = /^later_of\((.+)\)$/.exec(row.trigger)?.[1]?.split(',');
  const seventeen = /26(th)? if aged 17/.test(row.note) ? { nIfSeventeen: 26 } : {};
  return {
    id: `row-${index}`,
    jurisdiction: row.jurisdiction,
    providerClass: row.provider_class,
    kind: row.kind,
    adultYears: row.adult_years,
    trigger: parts === undefined ? row.trigger : { laterOf: parts },
    minor: row.minor === null ? null : { ...row.minor, ...seventeen },
    ...(row.minor_rule === 'not_seen' ? { minorRuleNotSeen: true } : {}),
    deceased: row.deceased === null ? null : { years: row.deceased.years, combine: 'later_of' },
    citation: row.citation,
    source: row.source,
    confidence: row.confidence,
  };
}

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
/** Nothing that the collected rows count from can be noted: what starts them happens to a practice or to another person. */
const beyondFacts = /contract_period_end|last_in_effect|practice_closed|practitioner_death|birth_of_last_child/;

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
  it('hold the rows that ship with the package, figure by figure', () => {
    const collected = rows().map(convert);
    for (const shipped of retentionRules) {
      const row = collected.find(
        (rule) => rule.jurisdiction === shipped.jurisdiction && rule.providerClass === shipped.providerClass,
      );
      const figures = ({ adultYears, trigger, minor, deceased, confidence, kind }: RetentionRule) => ({
        adultYears,
        trigger,
        minor,
        deceased,
        confidence,
        kind,
      });
      expect(row === undefined ? undefined : figures(row)).toEqual(figures(shipped));
    }
  });

  it('are all taken by the engine as a rule set', () => {
    expect(rows().length).toBeGreaterThan(150);
    expect(createRetention({ rules: rows().map(convert) }).rulesVersion).toMatch(/^[0-9a-f]{32}$/);
  });

  for (const [name, birth] of [
    ['an adult', '1970-05-01'],
    ['a child', '2018-05-01'],
    ['a seventeen-year-old', '2008-12-01'],
  ] as const) {
    it(`give ${name} a date that is never before the shortest reading, or say unknown with a reason`, () => {
      rows().forEach((row, index) => {
        const rule = convert(row, index);
        const decision = evaluate(rule, [fact('birth', birth), ...ended], 2027);
        const minor = birth > '2008-03-10';
        const undatable =
          row.adult_years === null || beyondFacts.test(row.trigger) || (minor && row.minor_rule === 'not_seen');
        const where = `${row.jurisdiction} ${row.provider_class}`;
        if (undatable) {
          expect([where, decision.status]).toEqual([where, 'unknown']);
          expect(decision.explanation.length).toBeGreaterThan(40);
          return;
        }
        const adultYears = row.adult_years ?? 0;
        const shortest = row.minor?.combine === 'later_of' || !minor || row.minor === null ? adultYears : 0;
        expect([where, Number(decision.retainUntil?.slice(0, 4)) >= 2026 + shortest]).toEqual([where, true]);
        if (minor && row.minor?.rule === 'until_birthday' && row.minor.combine !== 'earlier_of')
          expect([where, Number(decision.retainUntil?.slice(0, 4)) >= Number(birth.slice(0, 4)) + row.minor.n]).toEqual(
            [where, true],
          );
        expect([where, decision.status]).toEqual([where, 'retain']);
        expect([where, evaluate(rule, [fact('birth', birth), ...ended], 2110).status]).toEqual([where, 'eligible']);
      });
    });
  }

  it('count from death where they say so', () => {
    rows().forEach((row, index) => {
      if (row.deceased === null) return;
      const decision = evaluate(
        convert(row, index),
        [fact('birth', '1950-01-01'), ...ended, fact('death', '2040-07-01')],
        2041,
      );
      const where = `${row.jurisdiction} ${row.provider_class}`;
      expect([where, Number(decision.retainUntil?.slice(0, 4)) >= 2040 + row.deceased.years]).toEqual([where, true]);
    });
  });

  it('never let a row that was only seen in a compilation delete anything unconfirmed', () => {
    rows().forEach((row, index) => {
      if (row.confidence !== 'secondary-seen') return;
      const rule = convert(row, index);
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
      expect(decision.status).toBe('unknown');
    });
  });
});
