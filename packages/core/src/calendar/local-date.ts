import { Temporal } from 'temporal-polyfill';
import { MedzenError } from '../errors.ts';

/** A calendar date without a time, `YYYY-MM-DD`. */
export type LocalDate = string;

/**
 * Checks a calendar date: the form and that the day exists.
 *
 * @throws MedzenError `invalid_input`
 */
export function localDate(text: string): LocalDate {
  return plain(text).toString();
}

/**
 * The same day n years later. 29 February becomes 1 March in a common year: of the two neighbours the later, so that nothing
 * is kept a day too short. Always count from the original date: adding twice is not adding once.
 *
 * @param date - `YYYY-MM-DD`
 * @param years - whole, 0–200
 * @throws MedzenError `invalid_input`
 * @example
 * ```ts
 * import { addYears } from '@medzen/core/calendar';
 * addYears('2024-02-29', 7); // '2031-03-01'
 * ```
 */
export function addYears(date: LocalDate, years: number): LocalDate {
  if (!Number.isInteger(years) || years < 0 || years > 200)
    throw new MedzenError('invalid_input', 'years must be an integer from 0 to 200');
  const from = plain(date);
  const to = from.add({ years }, { overflow: 'constrain' });
  return fourDigits(to.day === from.day ? to : to.add({ days: 1 }));
}

/**
 * The date n days later, or earlier.
 *
 * @param days - whole, −100 000 to 100 000
 * @throws MedzenError `invalid_input`
 */
export function addDays(date: LocalDate, days: number): LocalDate {
  if (!Number.isInteger(days) || Math.abs(days) > 100_000)
    throw new MedzenError('invalid_input', 'days must be an integer from -100,000 to 100,000');
  return fourDigits(plain(date).add({ days }));
}

/**
 * The first instant of a day in a zone. Where midnight does not exist (a clock moved forward at 00:00) it is the first instant that does.
 *
 * @param zone - IANA name: `America/New_York`
 * @throws MedzenError `invalid_input` for no such day, or an unknown zone
 */
export function startOfDay(date: LocalDate, zone: string): Date {
  const day = plain(date);
  try {
    return new Date(day.toZonedDateTime(ianaName(zone)).epochMilliseconds);
  } catch (cause) {
    throw new MedzenError('invalid_input', "Time zone must be an IANA name such as 'America/New_York'", { cause });
  }
}

/**
 * The calendar date at an instant, in a zone.
 *
 * @throws MedzenError `invalid_input` for an unknown zone, or outside the years 0 to 9999
 */
export function localDateAt(instant: Date, zone: string): LocalDate {
  let day: Temporal.PlainDate;
  try {
    day = Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(ianaName(zone)).toPlainDate();
  } catch (cause) {
    throw new MedzenError('invalid_input', 'at must be a valid Date and zone an IANA time zone', { cause });
  }
  return fourDigits(day);
}

/** Negative, zero or positive as `a` is before, on or after `b`. */
export function compareDates(a: LocalDate, b: LocalDate): number {
  partsOf(a);
  partsOf(b);
  // Four digits, two and two: the order of the texts is that of the days.
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Reads a date by the calendar alone: dates are read and compared far more often than anything is reckoned from them.
 *
 * @throws MedzenError `invalid_input`
 */
function partsOf(text: string): readonly [year: number, month: number, day: number] {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) throw new MedzenError('invalid_input', 'Date must be YYYY-MM-DD');
  const [year, month, day] = [Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8))];
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  if (month < 1 || month > 12 || day < 1 || day > days)
    throw new MedzenError('invalid_input', 'Date must be a day of the calendar: check its month and day');
  return [year, month, day];
}

/** Temporal would also take an offset, or a whole date and time with a zone somewhere in it, which no store expects. */
function ianaName(zone: string): string {
  if (/^[A-Za-z][A-Za-z0-9._+/-]{0,63}$/.test(zone)) return zone;
  throw new RangeError('zone must be an IANA name, not an offset');
}

/** Past 9999 a date is written with a sign and six digits, which neither compares as text nor reads back here. */
function fourDigits(date: Temporal.PlainDate): LocalDate {
  if (date.year < 0 || date.year > 9999) throw new MedzenError('invalid_input', 'A year outside 0 to 9999');
  return date.toString();
}

function plain(text: string): Temporal.PlainDate {
  return new Temporal.PlainDate(...partsOf(text));
}
