import { MedzenError, type RetentionFact } from '@medzen/core';
import { addDays, compareDates, localDate, localDateAt, startOfDay } from '@medzen/core/calendar';

/**
 * Checks a fact against the bounds, and against what is noted of the same patient.
 *
 * @param noted - all facts of the patient, in the order in which they were noted
 * @param now - milliseconds of the store's clock
 * @throws MedzenError `invalid_input`; `conflict` when `voids` names a fact that is void already
 */
export function checkFact(noted: readonly RetentionFact[], fact: RetentionFact, now: number): void {
  const refuse = (field: string, message: string): never => {
    throw new MedzenError('invalid_input', message, { pointers: [`/${field}`] });
  };
  startOfDay(localDate(fact.date), fact.zone);
  const latest = addDays(localDateAt(new Date(now), fact.zone), 1);
  if (compareDates(fact.date, '1900-01-01') < 0 || compareDates(fact.date, latest) > 0 || fact.date > '9000-12-31')
    refuse(
      'date',
      'date must be from 1900-01-01 to one day after today; note what is still to come on the day it happens',
    );
  if (fact.voids === undefined && fact.type === 'void') refuse('voids', 'voids must name the fact that was a mistake');
  if (fact.voids !== undefined) {
    if (!noted.some(({ id }) => id === fact.voids))
      refuse('voids', 'voids must name a fact of this patient; explain lists them with their ids');
    if (voidOf(noted).has(fact.voids))
      throw new MedzenError('conflict', 'voids must name a fact that stands; this one is void already', {
        pointers: ['/voids'],
      });
  }
  const gone = voidOf(noted, fact.voids);
  const standing = noted.filter(({ id }) => !gone.has(id));
  const care: readonly RetentionFact['type'][] = ['treatment', 'discharge', 'therapy_ended', 'death'];
  if (
    fact.type === 'birth' &&
    standing.some(({ type, date }) => care.includes(type) && compareDates(date, fact.date) < 0)
  )
    refuse(
      'date',
      'date of a birth must not be after care or a death that was noted; if that fact is the mistake, void it first',
    );
  if (fact.type === 'death' && standing.some(({ type, date }) => type === 'birth' && compareDates(date, fact.date) > 0))
    refuse(
      'date',
      'date of a death must not be before the birth that was noted; if that fact is the mistake, void it first',
    );
}

/** Ids of the facts that are void. A correction stands unless a later one voids it, so the latest is looked at first. */
function voidOf(noted: readonly RetentionFact[], voiding?: string): ReadonlySet<string> {
  const gone = new Set(voiding === undefined ? [] : [voiding]);
  for (const { id, voids } of noted.toReversed()) if (voids !== undefined && !gone.has(id)) gone.add(voids);
  return gone;
}
