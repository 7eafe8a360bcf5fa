import type { ModelShape } from './model-shape.ts';
import { noteRead, type PatientReads, patientId } from './patient-reads.ts';
import { isSelection, type Selection } from './widen-selection.ts';

/** What hands on values; `_count` only counts them. */
const figures = ['_min', '_max', '_sum', '_avg'];

/**
 * Gathers the PHI that `aggregate` and `groupBy` give back: values of `by`, and the least, greatest, sum and mean of a field. They are
 * a patient's where the query is grouped by the patient's key or asks for one patient by it; else of nobody in particular.
 */
export function gatherAggregates(reads: PatientReads, shape: ModelShape, args: Selection, answer: unknown): void {
  if (shape.audited === undefined) return;
  const { phi, patient } = shape.audited;
  const key = patient.length === 1 ? (patient[0] ?? '') : ''; // what is told by a relation is in no group
  const by = new Set([args.by].flat());
  for (const row of Array.isArray(answer) ? answer : [answer]) {
    if (!isSelection(row)) continue;
    const seen = phi.filter(
      (field) => by.has(field) || figures.some((figure) => isSelection(row[figure]) && row[figure][field] != null),
    );
    if (seen.length > 0) noteRead(reads, shape, by.has(key) ? patientId(row[key]) : onlyPatient(args.where, key), seen);
  }
}

/** The one patient whom `where` names by the key itself. */
function onlyPatient(where: unknown, key: string): string | undefined {
  if (!isSelection(where)) return undefined;
  const wanted = where[key];
  if (!isSelection(wanted)) return patientId(wanted);
  return wanted.mode === 'insensitive' ? undefined : patientId(wanted.equals);
}
