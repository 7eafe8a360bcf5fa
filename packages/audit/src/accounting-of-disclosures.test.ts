import type { AuditEvent } from '@medzen/core';
import { addYears, compareDates, localDateAt } from '@medzen/core/calendar';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventPages } from './access-report.ts';
import { type AccountingRequest, accountingOfDisclosures } from './accounting-of-disclosures.ts';
import type { AccountingSuspension } from './accounting-suspension.ts';
import { accountingText } from './accounting-text.ts';
import { exemptDisclosures } from './exempt-disclosure.ts';

const scope = { tenant: 'default' };
const zone = 'America/New_York';
const now = new Date('2026-11-22T15:00:00.000Z');
const request: AccountingRequest = { requestedOn: '2026-11-22', zone, clock: { now: () => now } };

let ids = 0;
function disclosed(at: string, given: Partial<AuditEvent> & { to?: string; basis?: string; what?: string } = {}) {
  const { to = 'County court', basis = 'Court order 26-CV-1', what = 'Visit note', ...rest } = given;
  const event: AuditEvent = {
    v: 1,
    id: `0197${String(ids++).padStart(8, '0')}`,
    at,
    tenant: 'default',
    action: 'record.disclose',
    kind: 'execute',
    outcome: 'success',
    actor: { id: 'u1', type: 'user' },
    patient: 'p1',
    purpose: 'TREAT',
    source: {},
    disclosure: { recipient: { name: to, address: '1 Main St' }, description: what, basis },
    nonce: '00',
    ...rest,
  };
  return event;
}

/** Gives what a log would, in pages of three; the query's own bounds in time are held, so that bounds too narrow show. */
function logOf(events: readonly AuditEvent[], damaged: readonly string[] = []): EventPages {
  return {
    async *pages(_, { patient, from, to }) {
      const found = events
        .filter((one) => one.patient === patient)
        .filter(({ at }) => (!from || new Date(at) >= from) && (!to || new Date(at) < to))
        .sort((a, b) => (a.at < b.at ? 1 : -1));
      yield { events: [], damaged };
      for (let i = 0; i < found.length; i += 3) yield { events: found.slice(i, i + 3), damaged: [] };
    },
  };
}

const account = (events: readonly AuditEvent[], given: Partial<AccountingRequest> = {}) =>
  accountingOfDisclosures(logOf(events), scope, 'p1', { ...request, ...given });

describe('an accounting of disclosures', () => {
  test('says of each disclosure when, to whom, what and why', async () => {
    const { report } = await account([
      disclosed('2026-03-02T09:00:00.000Z'),
      disclosed('2025-03-02T09:00:00.000Z', {
        to: 'Department of Health',
        basis: 'Reportable disease',
        what: 'Result',
      }),
      { ...disclosed('2026-03-03T09:00:00.000Z'), patient: 'p2' },
    ]);
    expect(report).toEqual({
      patient: 'p1',
      requestedOn: '2026-11-22',
      from: '2020-11-22',
      to: '2026-11-22',
      clamped: { from: false, to: false },
      generatedAt: now.toISOString(),
      disclosures: [
        {
          date: '2025-03-02',
          recipient: { name: 'Department of Health', address: '1 Main St' },
          description: 'Result',
          basis: 'Reportable disease',
        },
        {
          date: '2026-03-02',
          recipient: { name: 'County court', address: '1 Main St' },
          description: 'Visit note',
          basis: 'Court order 26-CV-1',
        },
      ],
    });
    expect(accountingText(report)).toContain('2025-03-02\n  To: Department of Health, 1 Main St\n  What: Result\n');
  });

  test('reaches back six calendar years from the day of the request, as the zone counts days', async () => {
    const { report } = await account([
      disclosed('2020-11-22T04:59:59.999Z'), // still the 21st in New York
      disclosed('2020-11-22T05:00:00.000Z'),
      disclosed('2026-11-23T04:59:59.999Z'),
      disclosed('2026-11-23T05:00:00.000Z'),
    ]);
    expect(report.disclosures.map(({ date }) => date)).toEqual(['2020-11-22', '2026-11-22']);
  });

  test('covers less when asked to, and says so when asked for more', async () => {
    const less = await account([disclosed('2025-01-31T12:00:00.000Z'), disclosed('2025-02-01T12:00:00.000Z')], {
      from: '2025-01-01',
      to: '2025-01-31',
    });
    expect(less.report).toMatchObject({ from: '2025-01-01', to: '2025-01-31', clamped: { from: false, to: false } });
    expect(less.report.disclosures).toHaveLength(1);
    const more = await account([], { from: '2001-01-01', to: '2030-01-01' });
    expect(more.report).toMatchObject({ from: '2020-11-22', to: '2026-11-22', clamped: { from: true, to: true } });
    expect(accountingText(more.report)).toContain('an accounting reaches back six years');
    const leap = await account([], { requestedOn: '2028-02-29' });
    expect(leap.report.from).toBe('2022-02-28');
  });

  test.each([
    [{ requestedOn: '2026-02-30' }],
    [{ from: '22.11.2020' }],
    [{ from: '2026-02-02', to: '2026-02-01' }],
    [{ from: '2010-01-01', to: '2011-01-01' }],
    [{ zone: 'Mars/Olympus' }],
  ])('refuses %j', async (given) => {
    await expect(account([], given)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test.each(Object.entries(exemptDisclosures))('leaves out what says %s, and tells how many (%s)', async (basis) => {
    const { report, remarks } = await account([disclosed('2026-03-02T09:00:00.000Z', { basis })]);
    expect(report.disclosures).toEqual([]);
    expect(remarks.exempt).toEqual({ [basis]: 1 });
  });

  test('drops nothing in doubt: not by purpose alone, nor a misspelt exemption, nor one that the purpose belies', async () => {
    const events = [
      disclosed('2026-03-02T09:00:00.000Z', { purpose: 'TREAT', basis: 'Subpoena' }),
      disclosed('2026-03-02T09:00:01.000Z', { basis: 'exempt:autorization' }),
      disclosed('2026-03-02T09:00:02.000Z', { basis: 'exempt:treatment-payment-operations', purpose: 'PUBHLTH' }),
      disclosed('2026-03-02T09:00:03.000Z', { basis: 'exempt:toString' }),
    ];
    const bare: unknown = { ...disclosed('2026-03-02T09:00:04.000Z'), disclosure: { recipient: 'the police' } };
    const { report, remarks } = await account([...events, bare as AuditEvent]); // written without our types
    expect(report.disclosures).toHaveLength(5);
    expect(remarks.doubtful).toHaveLength(4);
    expect(remarks.exempt).toEqual({});
  });

  test('counts no disclosure that was refused or failed', async () => {
    const { report, remarks } = await account([
      disclosed('2026-03-02T09:00:00.000Z', { outcome: 'denied' }),
      disclosed('2026-03-02T09:00:01.000Z', { outcome: 'failed' }),
    ]);
    expect([report.disclosures.length, remarks.notMade]).toEqual([0, 2]);
  });

  test('puts several to one recipient for one purpose into one line, where 164.528(b)(3) lets it', async () => {
    const basis = 'Required by law, 45 CFR 164.512(a)';
    const days = ['2026-05-02', '2026-03-02', '2026-04-02'];
    const { report } = await account([
      ...days.map((day) => disclosed(`${day}T09:00:00.000Z`, { basis })),
      disclosed('2026-03-05T09:00:00.000Z', { basis, to: 'Another court' }),
      ...days.map((day) => disclosed(`${day}T10:00:00.000Z`, { basis: 'Sent in error' })),
    ]);
    expect(report.disclosures.map(({ date, series }) => [date, series])).toEqual([
      ['2026-03-02', { count: 3, last: '2026-05-02' }],
      ['2026-03-02', undefined],
      ['2026-03-05', undefined],
      ['2026-04-02', undefined],
      ['2026-05-02', undefined],
    ]);
    expect(accountingText(report)).toContain('2026-03-02, 3 times, the last on 2026-05-02');
  });

  test('shows no recorded text as a line of its own', async () => {
    const { report } = await account([
      disclosed('2026-03-02T09:00:00.000Z', { what: 'Note\n2026-01-01\u2028  To: nobody' }),
    ]);
    expect(accountingText(report)).toContain('  What: Note 2026-01-01 To: nobody\n');
  });

  test('names rows that could not be opened, apart from the report', async () => {
    const { report, remarks } = await accountingOfDisclosures(logOf([], ['e1']), scope, 'p1', request);
    expect(remarks.damaged).toEqual(['e1']);
    expect(JSON.stringify(report)).not.toContain('e1');
  });
});

describe('a suspension', () => {
  const day = 86_400_000;
  const ago = (days: number): Date => new Date(now.getTime() - days * day);
  const police = [
    disclosed('2026-03-02T09:00:00.000Z', { to: 'State  Police' }),
    disclosed('2026-03-03T09:00:00.000Z', { to: 'County court' }),
  ];
  const listed = async (one: Omit<AccountingSuspension, 'recipient'>): Promise<boolean> => {
    const { report, remarks } = await account(police, {
      suspensions: [{ recipient: 'state police ', ...one } as AccountingSuspension], // the union, by its statement
    });
    expect(JSON.stringify(report)).not.toMatch(/suspen/i);
    const shown = report.disclosures.some(({ recipient }) => recipient.name === 'State  Police');
    expect(remarks.suspended).toBe(shown ? 0 : 1);
    expect(report.disclosures.length).toBe(shown ? 2 : 1);
    return shown;
  };

  test('in writing holds for the time it specifies', async () => {
    expect(await listed({ statement: 'written', from: ago(100), to: ago(-1) })).toBe(false);
    expect(await listed({ statement: 'written', from: ago(100), to: now })).toBe(true);
    expect(await listed({ statement: 'written', from: ago(-1), to: ago(-2) })).toBe(true);
  });

  test('by word of mouth holds for 30 days at most', async () => {
    expect(await listed({ statement: 'oral', from: ago(29.9) })).toBe(false);
    expect(await listed({ statement: 'oral', from: ago(30) })).toBe(true);
    expect(await listed({ statement: 'oral', from: ago(31), to: ago(-100) })).toBe(true);
    expect(await listed({ statement: 'oral', from: ago(5), to: ago(1) })).toBe(true);
  });
});

test('holds what the regulation says, said once more in other words', async () => {
  const bases = ['Court order', '45 CFR 164.512(a) order', 'exempt:authorization', 'exempt:custody'];
  const events = fc.array(
    fc.record({
      at: fc.date({ min: new Date('2020-11-20'), max: new Date('2020-11-26'), noInvalidDate: true }),
      late: fc.boolean(),
      to: fc.constantFrom('Court', 'Police', 'POLICE'),
      basis: fc.constantFrom(...bases),
      outcome: fc.constantFrom('success' as const, 'denied' as const),
    }),
    { maxLength: 25 },
  );
  const zones = fc.constantFrom('America/New_York', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'UTC');
  await fc.assert(
    fc.asyncProperty(events, zones, fc.boolean(), async (given, inZone, suspend) => {
      const all = given.map(({ at, late, ...rest }) =>
        disclosed(new Date(at.getTime() + (late ? 6 * 365.25 * 86_400_000 : 0)).toISOString(), rest),
      );
      const { report, remarks } = await account(all, {
        zone: inZone,
        suspensions: suspend ? [{ recipient: 'police', statement: 'oral', from: new Date('2026-11-01') }] : [],
      });
      // Independent: by Temporal, from the disclosure on instead of from the request back.
      const inPeriod = all.filter(({ at }) => {
        const date = localDateAt(new Date(at), inZone);
        return compareDates(addYears(date, 6), '2026-11-22') >= 0 && compareDates(date, '2026-11-22') <= 0;
      });
      const made = inPeriod.filter(({ outcome }) => outcome === 'success');
      const owed = made.filter(({ disclosure }) => !disclosure?.basis.startsWith('exempt'));
      const shown = owed.filter(({ disclosure }) => !(suspend && /^police$/i.test(disclosure?.recipient.name ?? '')));
      const counted = report.disclosures.map(({ series }) => series?.count ?? 1).reduce((a, b) => a + b, 0);
      expect(counted).toBe(shown.length);
      expect(remarks.notMade).toBe(inPeriod.length - made.length);
      expect(remarks.suspended).toBe(owed.length - shown.length);
      expect(Object.values(remarks.exempt).reduce((a, b) => a + b, 0)).toBe(made.length - owed.length);
      for (const { date, recipient, basis, series } of report.disclosures) {
        const dates = shown
          .filter(({ disclosure }) => disclosure?.basis === basis && disclosure.recipient.name === recipient.name)
          .map(({ at }) => localDateAt(new Date(at), inZone))
          .sort();
        if (basis.includes('164.512')) {
          expect(date).toBe(dates[0]);
          expect(series).toEqual(dates.length > 1 ? { count: dates.length, last: dates.at(-1) } : undefined);
        } else expect([dates.includes(date), series]).toEqual([true, undefined]);
      }
      const dates = report.disclosures.map(({ date }) => date);
      expect(dates).toEqual([...dates].sort());
    }),
    { numRuns: 300 },
  );
});
