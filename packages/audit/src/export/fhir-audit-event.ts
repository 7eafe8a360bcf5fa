import type { AuditEvent } from '@medzen/core';
import type { FhirOptions } from './fhir-options.ts';
import { type FhirAuditEventR4, toR4 } from './fhir-r4.ts';
import { type FhirAuditEventR5, toR5 } from './fhir-r5.ts';

/** Which AuditEvent to write. */
export interface FhirVersionOptions<Version extends 'R4' | 'R5'> extends FhirOptions {
  readonly version: Version;
}

/**
 * Writes an event as a FHIR AuditEvent. R4 meets, and names in `meta.profile`, the IHE BALP 1.1.4 profile that `balpProfileOf` tells:
 * PatientRead, PatientCreate, PatientUpdate, PatientDelete, PatientQuery, and the same without a patient. Denials (outcome 4), failures (8)
 * and what is no such interaction are base AuditEvents, as is all of R5.
 *
 * Ids, codes and names of fields only: the `reason`, names of people and the `disclosure` stay behind (`toNdjson` has them). What a profile
 * requires and the event does not know is marked as absent, never invented; control characters, which FHIR forbids, become U+FFFD.
 *
 * @param event - as read from the log
 * @param options - the version, and what the event does not know
 * @returns the resource, plain JSON; its id is the event's
 * @see https://profiles.ihe.net/ITI/BALP/1.1.4/, https://hl7.org/fhir/R4/auditevent.html, https://hl7.org/fhir/R5/auditevent.html
 * @example
 * ```ts
 * import { toFhirAuditEvent } from '@medzen/audit';
 * import type { AuditEvent } from '@medzen/core';
 * function forTheRepository(event: AuditEvent): string {
 *   return JSON.stringify(toFhirAuditEvent(event, {
 *     version: 'R4', server: 'https://api.clinic.example', idSystem: 'https://clinic.example/ids',
 *   }));
 * }
 * ```
 */
export function toFhirAuditEvent(event: AuditEvent, options: FhirVersionOptions<'R4'>): FhirAuditEventR4;
export function toFhirAuditEvent(event: AuditEvent, options: FhirVersionOptions<'R5'>): FhirAuditEventR5;
export function toFhirAuditEvent(
  event: AuditEvent,
  options: FhirVersionOptions<'R4' | 'R5'>,
): FhirAuditEventR4 | FhirAuditEventR5 {
  return options.version === 'R4' ? toR4(event, options) : toR5(event, options);
}
