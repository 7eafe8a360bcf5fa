import type { RetentionFact } from '@medzen/core';
import { addDays, compareDates, type LocalDate } from '@medzen/core/calendar';

/** Claims of or about the patient. While one is open nothing is deleted, and its days do not count towards the period. */
export interface Claims {
  readonly open: number;
  /** Closed ones, overlaps merged, in order. Local dates, both days included. */
  readonly closed: readonly { readonly from: LocalDate; readonly to: LocalDate }[];
}

/**
 * Follows openings and closings day by day, openings first. Facts name no claim, so a closing ends any that is open. One that finds none
 * open was of a claim whose opening was not noted, or is a second date for the one before: the time stands still up to it, since of two
 * dates the later keeps longer. It never ends a claim that is still to come.
 */
export function claimsOf(facts: readonly RetentionFact[]): Claims {
  const opens = ({ type }: RetentionFact): boolean => type === 'claim_opened';
  const steps = facts
    .filter((fact) => opens(fact) || fact.type === 'claim_closed')
    .sort((a, b) => compareDates(a.date, b.date) || Number(opens(b)) - Number(opens(a)));
  const closed: { readonly from: LocalDate; to: LocalDate }[] = [];
  let open = 0;
  let from = '';
  for (const step of steps) {
    if (opens(step)) {
      if (open === 0) from = step.date;
      open += 1;
    } else if (open > 0) {
      open -= 1;
      if (open === 0) closed.push({ from, to: step.date });
    } else {
      const before = closed.at(-1);
      if (before !== undefined) before.to = step.date;
    }
  }
  return { open, closed };
}

/**
 * The last day of a period that stood still while claims were open. A claim opened after the period had ended does not open it again.
 *
 * @param lastDay - of the period without claims
 */
export function suspended(lastDay: LocalDate, claims: Claims): LocalDate {
  let day = lastDay;
  for (const { from, to } of claims.closed) {
    if (compareDates(from, day) > 0) break;
    day = addDays(day, daysBetween(from, to) + 1);
  }
  return day;
}

/** Whole days; both are dates without a time, so a day always has 24 hours here. */
function daysBetween(from: LocalDate, to: LocalDate): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000);
}
