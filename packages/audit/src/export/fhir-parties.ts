import type { AuditEvent } from '@medzen/core';
import type { FhirCoding, FhirConcept, FhirReference } from './fhir-element.ts';
import type { FhirOptions } from './fhir-options.ts';
import { absent, coding, dicom, fhirText, identified } from './fhir-values.ts';
import type { Interaction } from './interaction.ts';

/** One who took part. */
export interface FhirParty {
  readonly type: FhirConcept;
  readonly who: FhirReference;
  readonly requestor: boolean;
  /** An address; `unknown` where there must have been one; absent for people. */
  readonly network?: { readonly address: string } | 'unknown';
  readonly roles: readonly FhirConcept[];
  readonly purpose?: FhirConcept;
}

const application = coding(dicom, '110150', 'Application');
const destination = coding(dicom, '110152', 'Destination Role ID');
const origin = coding(dicom, '110153', 'Source Role ID');
const custodian = coding('http://terminology.hl7.org/CodeSystem/provenance-participant-type', 'custodian', 'Custodian');
const participation = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType';
const recipient = coding(participation, 'IRCP', 'information recipient');
const author = coding(participation, 'AUT', 'author (originator)');

/** Which way the data flows, in BALP's codes: on a read it flows to the client, on everything else from it; a query is counted as what the client sends. */
const partyTypes: Readonly<Record<Interaction, { client: FhirCoding; server: FhirCoding; user: FhirCoding }>> = {
  create: { client: origin, server: destination, user: author },
  read: { client: destination, server: origin, user: recipient },
  update: { client: origin, server: destination, user: author },
  delete: { client: application, server: custodian, user: author },
  search: { client: origin, server: destination, user: recipient },
  operation: { client: origin, server: destination, user: author },
};

/** The server, the client, the person if it is one, and whom they act for. */
export function partiesOf(
  { actor, source }: AuditEvent,
  interaction: Interaction,
  options: FhirOptions,
  purpose: FhirConcept | undefined,
): readonly FhirParty[] {
  const types = partyTypes[interaction];
  const person = actor.type === 'user';
  const ip = fhirText(source.ip);
  const who = identified('actor', actor.id, options) ?? absent;
  const program = fhirText(source.userAgent) ?? ip;
  const roles = (actor.role ?? '')
    .split(',')
    .map(fhirText)
    .flatMap((text) => (text === undefined ? [] : [{ text }]));
  const address = fhirText(options.server);
  const server: FhirParty = {
    type: { coding: [types.server] },
    who: serverOf(options),
    requestor: false,
    network: address === undefined ? 'unknown' : { address },
    roles: [],
  };
  const client: FhirParty = {
    type: { coding: [types.client] },
    who: person ? (program === undefined ? absent : { display: program }) : who,
    requestor: !person,
    network: ip === undefined ? 'unknown' : { address: ip },
    roles: [],
  };
  const user: FhirParty = {
    type: { coding: [types.user] },
    who,
    requestor: true,
    roles,
    ...(purpose === undefined ? {} : { purpose }),
  };
  const behind = identified('actor', actor.onBehalfOf, options);
  const principal: FhirParty[] =
    behind === undefined ? [] : [{ type: { text: 'on behalf of' }, who: behind, requestor: false, roles: [] }];
  return [server, client, ...(person ? [user] : []), ...principal];
}

/** The system that recorded the event. */
export function serverOf({ server }: FhirOptions): FhirReference {
  return { display: fhirText(server) ?? 'medzen' };
}
