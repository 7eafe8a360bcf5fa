import { MedzenError, type RetentionFact } from '@medzen/core';
import { addDays, compareDates, localDate, localDateAt } from '@medzen/core/calendar';

/** No patient was born before it. */
const earliest = '1900-01-01';
/** Dates that are counted on from here keep four digits. */
const lastYear = '9000-12-31';

/**
 * Checks what can be told of one fact alone. The store checks it again, and against what else is noted of the patient.
 *
 * @throws MedzenError `invalid_input` with the field, the rule and the remedy
 */
export function checkFact(fact: RetentionFact, now: Date): void {
  let today: string;
  try {
    today = localDateAt(now, fact.zone);
  } catch (cause) {
    refuse('zone', 'zone must name an IANA time zone, such as America/New_York', cause);
  }
  try {
    localDate(fact.date);
  } catch (cause) {
    refuse('date', 'date must be a day of the calendar, written YYYY-MM-DD', cause);
  }
  const within =
    compareDates(fact.date, earliest) >= 0 &&
    compareDates(fact.date, lastYear) <= 0 &&
    compareDates(fact.date, addDays(today, 1)) <= 0;
  if (!within)
    refuse(
      'date',
      `date must be from ${earliest} to one day after today; note what is still to come on the day it happens`,
    );
  if (fact.type === 'void' && fact.voids === undefined) refuse('voids', 'voids must name the fact that was a mistake');
}

function refuse(field: keyof RetentionFact, message: string, cause?: unknown): never {
  throw new MedzenError('invalid_input', message, { pointers: [`/${field}`], cause });
}
