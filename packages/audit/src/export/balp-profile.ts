import type { AuditEvent } from '@medzen/core';
import { fhirText } from './fhir-values.ts';
import { interactionOf } from './interaction.ts';

const names = { create: 'Create', read: 'Read', update: 'Update', delete: 'Delete', search: 'Query' } as const;

/**
 * The IHE BALP 1.1.4 profile that an event meets when it is written as an R4 AuditEvent: `Patient…` where a patient is concerned, else the
 * profile of the same name without a patient.
 *
 * @returns the profile's canonical URL; undefined for what no profile covers: denials and failures (each profile requires outcome 0),
 * `execute` other than a search, and a single thing without a patient and without a target (`entity:data.what` is required)
 * @see https://profiles.ihe.net/ITI/BALP/1.1.4/artifacts.html
 */
export function balpProfileOf(event: AuditEvent): string | undefined {
  const interaction = interactionOf(event);
  if (event.outcome !== 'success' || interaction === 'operation') return undefined;
  const patient = fhirText(event.patient) !== undefined;
  if (!patient && interaction !== 'search' && fhirText(event.target?.type) === undefined) return undefined;
  const name = `${patient ? 'Patient' : ''}${names[interaction]}`;
  return `https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.${name}`;
}
