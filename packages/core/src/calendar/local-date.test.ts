import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addDays, addYears, compareDates, localDate, localDateAt, startOfDay } from './local-date.ts';

const invalid: unknown = expect.objectContaining({ code: 'invalid_input' });
const day = 86_400_000;

/** Days from 1900 to 2100, as text. */
const dates = fc
  .integer({ min: Date.UTC(1900, 0, 1) / day, max: Date.UTC(2100, 0, 1) / day })
  .map((n) => new Date(n * day).toISOString().slice(0, 10));

/** The calendar date by Intl, which shares no code with what is tested. */
function intlDate(instant: number, zone: string): string {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).formatToParts(instant);
  const of = (type: string): string => parts.find((part) => part.type === type)?.value ?? '';
  return `${of('year').padStart(4, '0')}-${of('month')}-${of('day')}`;
}

describe('localDate', () => {
  test.each(['2024-02-29', '2000-02-29', '0001-01-01', '9999-12-31'])('takes %s', (text) => {
    expect(localDate(text)).toBe(text);
  });

  test.each([
    '2023-02-29',
    '1900-02-29',
    '2024-13-01',
    '2024-00-10',
    '2024-04-31',
    '2024-1-1',
    '20240101',
    '',
    '2024-01-01T00:00',
    '+002024-01-01',
    '2024-01-01[u-ca=hebrew]',
    ' 2024-01-01',
  ])('refuses %j', (text) => {
    expect(() => localDate(text)).toThrowError(invalid);
  });
});

describe('addYears', () => {
  test.each([
    ['2024-02-29', 7, '2031-03-01'],
    ['2024-02-29', 4, '2028-02-29'],
    ['2024-02-29', 0, '2024-02-29'],
    ['1996-02-29', 104, '2100-03-01'],
    ['2023-02-28', 1, '2024-02-28'],
    ['2019-12-31', 7, '2026-12-31'],
  ])('%s and %i years is %s', (from, years, to) => {
    expect(addYears(from, years)).toBe(to);
  });

  test('is never earlier than the naive anniversary, and a day later only where that day is missing', () => {
    fc.assert(
      fc.property(dates, fc.integer({ min: 0, max: 200 }), (date, years) => {
        const naive = `${Number(date.slice(0, 4)) + years}${date.slice(4)}`;
        const to = addYears(date, years);
        expect(to >= naive).toBe(true);
        const exists = new Date(`${naive}T00:00:00Z`).toISOString().startsWith(naive);
        expect(to).toBe(exists ? naive : `${naive.slice(0, 4)}-03-01`);
      }),
    );
  });

  test('keeps the order of two dates', () => {
    fc.assert(
      fc.property(dates, dates, fc.integer({ min: 0, max: 200 }), (a, b, years) => {
        if (a <= b) expect(addYears(a, years) <= addYears(b, years)).toBe(true);
      }),
    );
  });

  test('is not the same as adding twice', () => {
    expect(addYears(addYears('2024-02-29', 1), 3)).toBe('2028-03-01');
    expect(addYears('2024-02-29', 4)).toBe('2028-02-29');
  });

  test.each([-1, 201, 1.5, Number.NaN])('refuses %s years', (years) => {
    expect(() => addYears('2024-01-01', years)).toThrowError(invalid);
  });

  test('refuses what would no longer be a date of four digits', () => {
    expect(() => addYears('9999-12-31', 1)).toThrowError(invalid);
  });
});

describe('addDays', () => {
  test('agrees with days of UTC', () => {
    fc.assert(
      fc.property(dates, fc.integer({ min: -40_000, max: 40_000 }), (date, days) => {
        const wanted = new Date(Date.parse(`${date}T00:00:00Z`) + days * day).toISOString().slice(0, 10);
        expect(addDays(date, days)).toBe(wanted);
      }),
    );
  });

  test.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, 10_000_000, -10_000_000])('refuses %s days', (days) => {
    expect(() => addDays('2024-01-01', days)).toThrowError(invalid);
  });
});

describe('startOfDay', () => {
  test.each([
    ['2026-01-15', 'UTC', '2026-01-15T00:00:00.000Z'],
    ['2026-01-15', 'America/New_York', '2026-01-15T05:00:00.000Z'],
    ['2026-07-15', 'America/New_York', '2026-07-15T04:00:00.000Z'],
    // Clocks went from 24:00 to 01:00: the day began at one.
    ['2017-10-15', 'America/Sao_Paulo', '2017-10-15T03:00:00.000Z'],
    ['2023-04-28', 'Africa/Cairo', '2023-04-27T22:00:00.000Z'],
    // Midnight came twice: the day began with the first.
    ['2023-11-05', 'America/Havana', '2023-11-05T04:00:00.000Z'],
    // The day was left out: the next instant there is.
    ['2011-12-30', 'Pacific/Apia', '2011-12-30T10:00:00.000Z'],
    ['2026-01-15', 'Asia/Kathmandu', '2026-01-14T18:15:00.000Z'],
  ])('%s in %s begins at %s', (date, zone, instant) => {
    expect(startOfDay(date, zone).toISOString()).toBe(instant);
  });

  test('is the first instant of its day, as Intl sees it', () => {
    const zones = [
      'America/New_York',
      'America/Sao_Paulo',
      'Africa/Cairo',
      'Asia/Kolkata',
      'Africa/Douala',
      'Australia/Lord_Howe',
      'America/Havana',
      'Asia/Beirut',
    ];
    const recent = fc
      .integer({ min: Date.UTC(1971, 0, 1) / day, max: Date.UTC(2037, 0, 1) / day })
      .map((n) => new Date(n * day).toISOString().slice(0, 10));
    fc.assert(
      fc.property(recent, fc.constantFrom(...zones), (date, zone) => {
        const start = startOfDay(date, zone).getTime();
        expect(intlDate(start, zone)).toBe(date);
        expect(intlDate(start - 1, zone) < date).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test.each(['', 'Mars/Olympus', 'America/New_York; drop', '\u0000', '+05:00', '2026-01-01T00:00[UTC]'])(
    'refuses the zone %j',
    (zone) => {
      expect(() => startOfDay('2026-01-15', zone)).toThrowError(invalid);
    },
  );

  test('refuses a day that does not exist', () => {
    expect(() => startOfDay('2026-02-30', 'UTC')).toThrowError(invalid);
  });
});

describe('localDateAt', () => {
  test('agrees with Intl', () => {
    const zones = ['UTC', 'America/New_York', 'Pacific/Apia', 'Pacific/Kiritimati', 'Asia/Kathmandu', 'Africa/Cairo'];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(2037, 0, 1) }), fc.constantFrom(...zones), (ms, zone) => {
        expect(localDateAt(new Date(ms), zone)).toBe(intlDate(ms, zone));
      }),
    );
  });

  test('turns at local midnight', () => {
    expect(localDateAt(new Date('2026-01-15T04:59:59.999Z'), 'America/New_York')).toBe('2026-01-14');
    expect(localDateAt(new Date('2026-01-15T05:00:00.000Z'), 'America/New_York')).toBe('2026-01-15');
  });

  test('refuses what is no instant, no zone, or outside four digits of a year', () => {
    expect(() => localDateAt(new Date(Number.NaN), 'UTC')).toThrowError(invalid);
    expect(() => localDateAt(new Date(0), 'Nowhere')).toThrowError(invalid);
    expect(() => localDateAt(new Date(8.64e15), 'UTC')).toThrowError(invalid);
  });
});

test('compareDates orders as text does', () => {
  fc.assert(
    fc.property(dates, dates, (a, b) => {
      expect(Math.sign(compareDates(a, b))).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});
