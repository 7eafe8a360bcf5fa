import { MedzenError } from '@medzen/core';

/** A calendar date, `YYYY-MM-DD`. */
export type CalendarDate = string;

/**
 * Gives the calendar date at an instant, in a zone. By `Intl`, so that an Edge Function that reports carries no calendar.
 *
 * @param zone - IANA name
 * @throws MedzenError `invalid_input` for an unknown zone
 */
export function dayIn(zone: string): (instant: Date) => CalendarDate {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
  } catch (cause) {
    throw new MedzenError('invalid_input', "Time zone must be an IANA name such as 'America/New_York'", { cause });
  }
  return (instant) => {
    const part: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
    for (const { type, value } of format.formatToParts(instant)) part[type] = value;
    return `${part.year?.padStart(4, '0')}-${part.month}-${part.day}`;
  };
}

/**
 * Checks that a text is a day that exists.
 *
 * @throws MedzenError `invalid_input`
 */
export function checkDay(text: string, pointer: string): CalendarDate {
  const at = new Date(`${text}T00:00:00Z`);
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)) return text;
  throw new MedzenError('invalid_input', 'Date must be YYYY-MM-DD', { pointers: [pointer] });
}
