import type { RetentionFact } from '@medzen/core';
import { addDays, compareDates, type LocalDate } from '@medzen/core/calendar';
import { later } from './trigger-day.ts';

/** Claims of or about the patient. While one is open nothing is deleted, and its days do not count towards the period. */
export interface Claims {
  readonly open: number;
  /** Closed ones, overlaps merged, in order. Local dates, both days included. */
  readonly closed: readonly { readonly from: LocalDate; readonly to: LocalDate }[];
}

/** Pairs openings with closings by their order. Facts name no claim, so one opening too many leaves one open. */
export function claimsOf(facts: readonly RetentionFact[]): Claims {
  const dates = (type: RetentionFact['type']): LocalDate[] =>
    facts
      .filter((fact) => fact.type === type)
      .map((fact) => fact.date)
      .sort(compareDates);
  const opened = dates('claim_opened');
  const closed = dates('claim_closed');
  const merged: { from: LocalDate; to: LocalDate }[] = [];
  opened.slice(0, closed.length).forEach((from, index) => {
    const to = later(from, closed[index] ?? from);
    const last = merged.at(-1);
    if (last !== undefined && compareDates(from, last.to) <= 0) last.to = later(last.to, to);
    else merged.push({ from, to });
  });
  return { open: Math.max(0, opened.length - closed.length), closed: merged };
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
