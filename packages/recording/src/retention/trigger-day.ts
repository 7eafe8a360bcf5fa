import type { RetentionFact } from '@medzen/core';
import { compareDates, type LocalDate, localDate, localDateAt } from '@medzen/core/calendar';
import type { RetentionInput } from './decision.ts';
import type { RetentionTrigger } from './rule.ts';

/** The days of one patient's care, as far as they are known. Local calendar dates. */
export interface CareDays {
  /** Of the recording itself: a record was made, and its patient was treated. */
  readonly own: LocalDate;
  /** The latest of all contacts known, the recording included. */
  readonly lastContact: LocalDate;
  /** The earliest: nobody is born after it. */
  readonly firstContact: LocalDate;
  /** The latest day on which an episode of care was noted to end. */
  readonly ended?: LocalDate;
  readonly birth?: LocalDate;
  readonly death?: LocalDate;
}

/** Facts about care, apart from births, deaths and claims. */
const contacts: ReadonlySet<RetentionFact['type']> = new Set(['treatment', 'discharge', 'therapy_ended']);

/**
 * Reads the facts. Of two that contradict each other (a corrected birth date) the later counts: it keeps longer.
 *
 * @throws MedzenError `invalid_input`
 */
export function careDays(input: RetentionInput): CareDays {
  const own = localDateAt(new Date(input.startedAt), input.retentionClass.zone);
  let lastContact = own;
  let firstContact = own;
  const found: { ended?: LocalDate; birth?: LocalDate; death?: LocalDate } = {};
  for (const fact of input.facts) {
    const day = localDate(fact.date);
    if (contacts.has(fact.type)) {
      lastContact = later(lastContact, day);
      if (compareDates(day, firstContact) < 0) firstContact = day;
    }
    if (fact.type === 'discharge' || fact.type === 'therapy_ended') found.ended = later(found.ended ?? day, day);
    if (fact.type === 'birth') found.birth = later(found.birth ?? day, day);
    if (fact.type === 'death') found.death = later(found.death ?? day, day);
  }
  return { own, lastContact, firstContact, ...found };
}

/**
 * The day from which a rule counts, or undefined while what starts it has not been noted. Where a text can be read in two ways, the
 * later day is taken.
 */
export function triggerDay(
  trigger: RetentionTrigger | { readonly laterOf: readonly RetentionTrigger[] },
  days: CareDays,
): LocalDate | undefined {
  if (typeof trigger === 'object') {
    let latest: LocalDate | undefined;
    for (const part of trigger.laterOf) {
      const day = triggerDay(part, days);
      // The later of two days cannot be told while one of them is to come.
      if (day === undefined) return undefined;
      latest = later(latest ?? day, day);
    }
    return latest;
  }
  switch (trigger) {
    case 'record_created':
    case 'treatment_commenced':
      // The recording is made no earlier than the treatment began.
      return days.own;
    case 'service_date':
    case 'last_treatment':
    case 'last_entry':
    case 'last_contact':
    case 'last_seen':
    case 'last_use':
    case 'last_change':
    case 'dormant':
    case 'not_stated':
      return days.lastContact;
    case 'discharge':
    case 'case_closed':
    case 'therapy_terminated':
    case 'termination_of_services':
    case 'completion_of_services':
    case 'treatment_completed':
      return endOfCare(days);
    case 'death':
      return days.death;
    default:
      return undefined;
  }
}

/** The end of the present episode. One that was noted before a later contact ended an earlier episode, not this one. Death ends it too. */
function endOfCare(days: CareDays): LocalDate | undefined {
  if (days.death !== undefined) return later(days.death, days.lastContact);
  if (days.ended === undefined || compareDates(days.ended, days.lastContact) < 0) return undefined;
  return days.ended;
}

/** The later of two days. */
export function later(a: LocalDate, b: LocalDate): LocalDate {
  return compareDates(a, b) >= 0 ? a : b;
}

/** The earlier of two days. */
export function earlier(a: LocalDate, b: LocalDate): LocalDate {
  return compareDates(a, b) <= 0 ? a : b;
}
