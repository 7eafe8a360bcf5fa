import { type AuditEvent, canonicalize, toBase64 } from '@medzen/core';
import type { FhirCoding, FhirReference } from './fhir-element.ts';
import type { FhirOptions } from './fhir-options.ts';
import { coding, fhirText, identified } from './fhir-values.ts';
import type { Interaction } from './interaction.ts';

/** One thing that was concerned. */
export interface FhirThing {
  readonly type: FhirCoding;
  readonly role?: FhirCoding;
  readonly what?: FhirReference;
  /** Base64. */
  readonly query?: string;
  readonly detail?: readonly { readonly type: string; readonly value: string }[];
}

const entityType = 'http://terminology.hl7.org/CodeSystem/audit-entity-type';
const objectRole = 'http://terminology.hl7.org/CodeSystem/object-role';
const systemObject = coding(entityType, '2', 'System Object');

/** What was looked at or asked for, whose it is, the request's id, and the rest of what the event holds without PHI. */
export function thingsOf(
  event: AuditEvent,
  interaction: Interaction,
  options: FhirOptions,
  patient: FhirReference | undefined,
): readonly FhirThing[] {
  const things: FhirThing[] = [];
  const what = targetOf(event, options) ?? patient;
  if (interaction === 'search')
    things.push({ type: systemObject, role: coding(objectRole, '24', 'Query'), query: queryOf(event) });
  else if (what !== undefined)
    things.push({ type: systemObject, role: coding(objectRole, '4', 'Domain Resource'), what });
  if (patient !== undefined)
    things.push({ type: coding(entityType, '1', 'Person'), role: coding(objectRole, '1', 'Patient'), what: patient });
  const request = identified('request', event.source.requestId, options);
  if (request !== undefined) {
    const system = 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType';
    things.push({ type: { system, code: 'XrequestId' }, what: request });
  }
  const detail = detailOf(event);
  if (detail.length > 0) things.push({ type: coding(entityType, '4', 'Other'), detail });
  return things;
}

/** BALP wants the raw request, which an audit event does not hold (its parameters may be PHI): what it does know of the query stands instead. */
function queryOf({ action, target, fields, detail }: AuditEvent): string {
  return toBase64(new TextEncoder().encode(canonicalize({ action, target, fields, detail })));
}

function detailOf({ fields, source, detail = {} }: AuditEvent): { readonly type: string; readonly value: string }[] {
  const all: [string, unknown][] = [
    ['fields', fields?.join(',')],
    ['sessionId', source.sessionId],
    ['traceId', source.traceId],
    ...Object.entries(detail),
  ];
  return all.flatMap(([key, item]) => {
    const type = fhirText(key);
    const value = fhirText(item === undefined || typeof item === 'string' ? item : JSON.stringify(item));
    return type === undefined || value === undefined ? [] : [{ type, value }];
  });
}

/** The patient, if there is one. */
export function patientOf({ patient }: AuditEvent, options: FhirOptions): FhirReference | undefined {
  const found = identified('patient', patient, options);
  if (found === undefined || patient === undefined) return undefined;
  const { patientReference } = options;
  return patientReference === undefined ? { type: 'Patient', ...found } : { reference: patientReference(patient) };
}

/** One row by its id; what has none, by its kind. */
function targetOf({ target }: AuditEvent, options: FhirOptions): FhirReference | undefined {
  const display = fhirText(target?.type);
  if (target === undefined || display === undefined) return undefined;
  return { ...identified(target.type, target.id, options), display };
}
