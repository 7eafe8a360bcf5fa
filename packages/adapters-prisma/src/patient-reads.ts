import { MedzenError } from '@medzen/core';
import type { AuditedShape, ModelShape } from './model-shape.ts';
import type { Hidden } from './widen-selection.ts';

/** What one query read of one patient. */
interface PatientRead {
  /** `Model.field`. */
  readonly fields: Set<string>;
  /** How many rows of each model. */
  readonly rows: Map<string, number>;
}

/** By patient; under `undefined` what belongs to nobody (a row whose key is null, an aggregate). */
export type PatientReads = Map<string | undefined, PatientRead>;

type Row = Record<string, unknown>;

/**
 * Gathers what an answer tells of whom. Goes by what is in the rows, not by what was asked: an extension in between may have
 * asked for more.
 *
 * @param hidden - what was added to the query and the caller will not see
 * @param own - false when the rows themselves are what the caller has just written; what is nested in them counts all the same
 * @throws MedzenError `invalid_configuration` for a row with PHI that does not say whose it is
 */
export function gatherReads(
  reads: PatientReads,
  shape: ModelShape,
  answer: unknown,
  hidden: Hidden | undefined,
  own = true,
): void {
  if (!shape.reaches || typeof answer !== 'object' || answer === null) return;
  if (Array.isArray(answer)) {
    for (const row of answer) gatherReads(reads, shape, row, hidden, own);
    return;
  }
  const row = answer as Row; // an object that is no list
  if (own && shape.audited !== undefined) {
    const { phi } = shape.audited;
    const seen = phi.filter((field) => row[field] !== undefined && hidden?.fields.has(field) !== true);
    if (seen.length > 0) noteRead(reads, shape, patientOf(shape, shape.audited, row), seen);
  }
  for (const [relation, target] of shape.relations) {
    if (row[relation] === undefined || hidden?.fields.has(relation) === true) continue;
    gatherReads(reads, target, row[relation], hidden?.within.get(relation));
  }
}

/** Notes one row's fields as read. */
export function noteRead(
  reads: PatientReads,
  { name }: ModelShape,
  patient: string | undefined,
  fields: readonly string[],
): void {
  let read = reads.get(patient);
  if (read === undefined) {
    read = { fields: new Set(), rows: new Map() };
    reads.set(patient, read);
  }
  for (const field of fields) read.fields.add(`${name}.${field}`);
  read.rows.set(name, (read.rows.get(name) ?? 0) + 1);
}

/** The text of a patient's id; undefined for none. */
export function patientId(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : undefined;
}

function patientOf(shape: ModelShape, { patient }: AuditedShape, row: Row): string | undefined {
  let value: unknown = row;
  for (const name of patient) {
    value = (value as Row)[name]; // an object: the row, or a relation that is no list
    if (value === null) return undefined;
    if (value === undefined || Array.isArray(value))
      throw new MedzenError(
        'invalid_configuration',
        `auditedModels: a row of ${shape.name} does not say by ${patient.join('.')} whose it is`,
      );
  }
  return patientId(value);
}

/** Takes out of the answer what was added to the query. */
export function hideAdded(answer: unknown, hidden: Hidden): void {
  if (typeof answer !== 'object' || answer === null || (hidden.fields.size === 0 && hidden.within.size === 0)) return;
  if (Array.isArray(answer)) {
    for (const row of answer) hideAdded(row, hidden);
    return;
  }
  const row = answer as Row; // an object that is no list
  for (const [relation, within] of hidden.within) if (!hidden.fields.has(relation)) hideAdded(row[relation], within);
  for (const [field, how] of hidden.fields) {
    if (!Object.hasOwn(row, field)) continue;
    if (how === 'removed') delete row[field];
    // A field that another extension computes of this one is made after us: out of sight, but there for it to read.
    else Object.defineProperty(row, field, { enumerable: false });
  }
}
