import type { AuditEvent } from '@medzen/core';
import { balpProfileOf } from './balp-profile.ts';
import type { FhirCoding, FhirConcept, FhirReference } from './fhir-element.ts';
import type { FhirOptions } from './fhir-options.ts';
import { type FhirParty, partiesOf, serverOf } from './fhir-parties.ts';
import { type FhirThing, patientOf, thingsOf } from './fhir-things.ts';
import { coding, dicom, fhirText } from './fhir-values.ts';
import { type Interaction, interactionOf } from './interaction.ts';

/** What the R4 and the R5 AuditEvent say alike, in neither's shape. */
export interface FhirFacts {
  readonly profile?: string;
  readonly type: FhirCoding;
  readonly subtype: readonly FhirCoding[];
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E';
  readonly purpose?: FhirConcept;
  readonly parties: readonly FhirParty[];
  readonly things: readonly FhirThing[];
  readonly patient?: FhirReference;
  readonly observer: FhirReference;
  readonly site?: string;
  /** The code of an error, for what did not succeed. */
  readonly failure?: string;
}

const letters = { create: 'C', read: 'R', update: 'U', delete: 'D', search: 'E', operation: 'E' } as const;

/** Reads an event once for both versions. Ids, codes and field names only: no reason, no person's name, nothing of a disclosure. */
export function fhirFactsOf(event: AuditEvent, options: FhirOptions): FhirFacts {
  const interaction = interactionOf(event);
  const profile = balpProfileOf(event);
  const patient = patientOf(event, options);
  const purpose = purposeOf(event.purpose);
  const site = fhirText(event.tenant);
  const failure = typeof event.detail?.error === 'string' ? fhirText(event.detail.error) : undefined;
  return {
    ...(profile === undefined ? {} : { profile }),
    ...typesOf(event, interaction, profile),
    action: letters[interaction],
    ...(purpose === undefined ? {} : { purpose }),
    parties: partiesOf(event, interaction, options, purpose),
    things: thingsOf(event, interaction, options, patient),
    ...(patient === undefined ? {} : { patient }),
    observer: serverOf(options),
    ...(site === undefined ? {} : { site }),
    ...(event.outcome === 'success' || failure === undefined ? {} : { failure }),
  };
}

const logins: Readonly<Record<string, FhirCoding>> = {
  'session.start': coding(dicom, '110122', 'Login'),
  'session.end': coding(dicom, '110123', 'Logout'),
  'session.timeout': coding(dicom, '110123', 'Logout'),
};

/** DICOM's codes for what is no access to data, unless a profile claims the event; `rest` for all else. */
function typesOf(
  { action }: AuditEvent,
  interaction: Interaction,
  profile: string | undefined,
): Pick<FhirFacts, 'type' | 'subtype'> {
  const ours: FhirCoding = { system: 'https://medzen.dev/audit-action', code: action };
  const rest = { system: 'http://hl7.org/fhir/restful-interaction', code: interaction };
  const login = logins[action];
  if (profile === undefined && /^(session|mfa)\./.test(action)) {
    const type = coding(dicom, '110114', 'User Authentication');
    return { type, subtype: login === undefined ? [ours] : [login, ours] };
  }
  if (profile === undefined && /^(request\.denied|rate_limit\.|webhook\.reject)/.test(action))
    return { type: coding(dicom, '110113', 'Security Alert'), subtype: [ours] };
  const type = coding('http://terminology.hl7.org/CodeSystem/audit-event-type', 'rest', 'RESTful Operation');
  return { type, subtype: [rest, ours] };
}

function purposeOf(purpose: string | undefined): FhirConcept | undefined {
  const code = fhirText(purpose);
  if (code === undefined) return undefined;
  const system = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';
  return /^[A-Z]+$/.test(code) ? { coding: [{ system, code }] } : { text: code }; // a host's own words are no code of HL7's
}
