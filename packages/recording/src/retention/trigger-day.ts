import type { RetentionFact, RetentionFactType } from '@medzen/core';
import { compareDates, type LocalDate, localDate, localDateAt } from '@medzen/core/calendar';
import type { RetentionInput } from './decision.ts';
import type { RetentionTrigger } from './rule.ts';

/** The days of one patient's care, as far as they are known. Local calendar dates. */
export interface CareDays {
  /** Day of the recording itself. */
  readonly own: LocalDate;
  /** All contacts, the recording included, in no order. */
  readonly contacts: readonly LocalDate[];
  /** The latest contact. */
  readonly lastContact: LocalDate;
  /** Days on which an episode of care was noted to end, in no order. */
  readonly ends: readonly LocalDate[];
  readonly birth?: LocalDate;
  /** As it was noted; {@link deathDay} is what counts. */
  readonly death?: LocalDate;
}

/** Facts about care, apart from births, deaths and claims. */
const contacts: ReadonlySet<RetentionFactType> = new Set(['treatment', 'discharge', 'therapy_ended']);

/**
 * Reads the facts. Of two that contradict each other (a second birth date) the later counts: it keeps longer.
 *
 * @param facts - those that stand
 * @throws MedzenError `invalid_input`
 */
export function careDays(input: RetentionInput, facts: readonly RetentionFact[]): CareDays {
  const own = localDateAt(new Date(input.startedAt), input.retentionClass.zone);
  const days: LocalDate[] = [own];
  const ends: LocalDate[] = [];
  let birth: LocalDate | undefined;
  let death: LocalDate | undefined;
  for (const fact of facts) {
    const day = localDate(fact.date);
    if (contacts.has(fact.type)) days.push(day);
    if (fact.type === 'discharge' || fact.type === 'therapy_ended') ends.push(day);
    if (fact.type === 'birth') birth = later(birth ?? day, day);
    if (fact.type === 'death') death = later(death ?? day, day);
  }
  const lastContact = latest(days) ?? own;
  return {
    own,
    contacts: days,
    lastContact,
    ends,
    ...(birth === undefined ? {} : { birth }),
    ...(death === undefined ? {} : { death }),
  };
}

/** The days as they were known at the end of one day. The recording's own day stays. */
export function careUntil(days: CareDays, end: LocalDate): CareDays {
  const before = (day: LocalDate): boolean => compareDates(day, end) <= 0;
  const seen = days.contacts.filter((day) => day === days.own || before(day));
  const { death, ...rest } = days;
  return {
    ...rest,
    contacts: seen,
    lastContact: latest(seen) ?? days.own,
    ends: days.ends.filter(before),
    ...(death === undefined || !before(death) ? {} : { death }),
  };
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
    let last: LocalDate | undefined;
    for (const part of trigger.laterOf) {
      const day = triggerDay(part, days);
      // The later of two days cannot be told while one of them is to come.
      if (day === undefined) return undefined;
      last = later(last ?? day, day);
    }
    return last;
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
      return deathDay(days);
    default:
      return undefined;
  }
}

/** The kind of fact that would start the rule, if any can. */
export function missingFact(
  trigger: RetentionTrigger | { readonly laterOf: readonly RetentionTrigger[] },
  days: CareDays,
): RetentionFactType | undefined {
  const parts = typeof trigger === 'object' ? trigger.laterOf : [trigger];
  const open = parts.filter((part) => triggerDay(part, days) === undefined);
  const facts = open.map((part): RetentionFactType | undefined => {
    if (part === 'death') return 'death';
    if (part === 'discharge') return 'discharge';
    return endsOfCare.has(part) ? 'therapy_ended' : undefined;
  });
  // One part that no fact can state is enough: noting the others would not help.
  return facts.includes(undefined) ? undefined : facts[0];
}

const endsOfCare: ReadonlySet<string> = new Set([
  'case_closed',
  'therapy_terminated',
  'termination_of_services',
  'completion_of_services',
  'treatment_completed',
]);

/** The later of death and the last contact: a patient who was treated had not died before. */
export function deathDay({ death, lastContact }: CareDays): LocalDate | undefined {
  return death === undefined ? undefined : later(death, lastContact);
}

/** The end of the present episode. One that was noted before a later contact ended an earlier episode, not this one. Death ends it too. */
function endOfCare(days: CareDays): LocalDate | undefined {
  const death = deathDay(days);
  if (death !== undefined) return death;
  const ended = latest(days.ends);
  return ended === undefined || compareDates(ended, days.lastContact) < 0 ? undefined : ended;
}

/** The latest of the days; undefined when there are none. */
export function latest(days: readonly LocalDate[]): LocalDate | undefined {
  return days.reduce<LocalDate | undefined>((last, day) => later(last ?? day, day), undefined);
}

/** The later of two days. */
export function later(a: LocalDate, b: LocalDate): LocalDate {
  return compareDates(a, b) >= 0 ? a : b;
}

/** The earlier of two days. */
export function earlier(a: LocalDate, b: LocalDate): LocalDate {
  return compareDates(a, b) <= 0 ? a : b;
}
