import { type AuditEvent, canonicalize } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { anyText, auditEvents, viewed } from '../audit-event.fixture.ts';
import { toCsv } from './csv.ts';

/** Reads CSV as a spreadsheet does: quotes count where they open a cell, and a text may be split at `;` where a country writes that. */
function cells(text: string, separator: ',' | ';'): readonly (readonly string[])[] {
  const records: string[][] = [];
  let [record, cell, quoted, opened]: [string[], string, boolean, boolean] = [[], '', false, false];
  for (let i = 0; i < text.length; i++) {
    const character = text[i] ?? '';
    if (quoted && character === '"' && text[i + 1] === '"') cell += text[++i];
    else if (character === '"' && (quoted || (cell === '' && !opened))) [quoted, opened] = [!quoted, true];
    else if (!quoted && (character === separator || character === '\n')) {
      record.push(cell.replace(/\r$/, ''));
      [cell, opened] = ['', false];
      if (character === '\n') {
        records.push(record);
        record = [];
      }
    } else cell += character;
  }
  return records;
}

const isFormula = (cell: string): boolean => /^["\s]*[=+\-@＝＋－＠]|^[\t\r\n\0]/.test(cell);

describe('toCsv', () => {
  it('writes a header and one record an event, all of the same columns', () => {
    fc.assert(
      fc.property(fc.array(auditEvents(), { maxLength: 5 }), (events) => {
        const records = cells(toCsv(events), ',');
        expect(records).toHaveLength(events.length + 1);
        expect(new Set(records.map(({ length }) => length))).toEqual(new Set([21]));
        expect(records.slice(1).map(([id]) => id)).toEqual(events.map(({ id }) => id));
      }),
      { numRuns: 200 },
    );
  });

  it('keeps its columns where they are', () => {
    expect(toCsv([viewed()])).toBe(
      [
        '"id","at","tenant","action","kind","outcome","actor_id","actor_type","actor_role","on_behalf_of","patient","target_type","target_id",',
        '"fields","purpose","ip","user_agent","session_id","request_id","trace_id","detail"\r\n',
        '"019a9c1e-7c00-7000-8000-000000000001","2026-11-21T09:30:00.000Z","clinic-a","recording.view","read","success","u1","user",',
        '"provider,admin","","p1","recording","r1","","TREAT","192.0.2.7","Firefox/145.0","","req-1","","{""bytes"":1024}"\r\n',
      ].join(''),
    );
  });

  it('gives every text back but for the apostrophes', () => {
    fc.assert(
      fc.property(anyText, (patient) => {
        const read = cells(toCsv([viewed({ patient })]), ',')[1]?.[10] ?? '';
        expect(read.replaceAll("'", '').replace(/\r$/, '')).toBe(patient.replaceAll("'", '').replace(/\r$/, ''));
        if (/^[\w .]*$/.test(patient)) expect(read).toBe(patient);
      }),
      { numRuns: 200 },
    );
  });

  it.each([',', ';'] as const)(
    'holds nothing that a spreadsheet would take for a formula, split at %s',
    (separator) => {
      fc.assert(
        fc.property(fc.array(auditEvents(), { maxLength: 3 }), (events) => {
          expect(cells(toCsv(events), separator).flat().filter(isFormula)).toEqual([]);
        }),
        { numRuns: 200 },
      );
    },
  );

  test.each([
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '\n=1',
    '\0=1',
    '＝1',
    ' =1',
    '"=1',
    'a;=1',
    'a,=1',
    'a\n+1',
    'a;" =1',
  ])('puts an apostrophe before %j', (patient) => {
    for (const separator of [',', ';'] as const) {
      expect(cells(`"${patient.replaceAll('"', '""')}"\r\n`, separator).length).toBeGreaterThan(0);
      expect(
        cells(toCsv([viewed({ patient })]), separator)
          .flat()
          .filter(isFormula),
      ).toEqual([]);
    }
    expect(toCsv([viewed({ patient })])).toContain("'");
  });

  it('leaves the reason, names of people and disclosures out, and the detail in canonical form', () => {
    const secret = 'SECRET';
    const event: AuditEvent = viewed({
      reason: secret,
      actor: { id: 'u1', type: 'user', name: secret },
      disclosure: { recipient: { name: secret }, description: secret, basis: secret },
      detail: { b: 1, a: [true, null] },
    });
    expect(toCsv([event])).not.toContain(secret);
    expect(cells(toCsv([event]), ',')[1]?.[20]).toBe(canonicalize({ a: [true, null], b: 1 }));
  });
});
