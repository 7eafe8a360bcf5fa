import type { AuditEvent } from '@medzen/core';
import type { FhirCoding, FhirConcept, FhirExtension, FhirReference } from './fhir-element.ts';
import { fhirFactsOf } from './fhir-facts.ts';
import type { FhirOptions } from './fhir-options.ts';
import type { FhirParty } from './fhir-parties.ts';
import type { FhirThing } from './fhir-things.ts';
import { absent } from './fhir-values.ts';
import { isIpAddress } from './ip-address.ts';

/**
 * An R4 AuditEvent, as far as it is filled here.
 *
 * @see https://hl7.org/fhir/R4/auditevent.html
 */
export interface FhirAuditEventR4 {
  readonly resourceType: 'AuditEvent';
  readonly id: string;
  readonly meta?: { readonly profile: readonly string[] };
  readonly type: FhirCoding;
  readonly subtype: readonly FhirCoding[];
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E';
  readonly recorded: string;
  readonly outcome: '0' | '4' | '8';
  readonly outcomeDesc?: string;
  readonly purposeOfEvent?: readonly FhirConcept[];
  readonly agent: readonly {
    readonly type: FhirConcept;
    readonly role?: readonly FhirConcept[];
    readonly who: FhirReference;
    readonly requestor: boolean;
    readonly network?: {
      readonly address?: string;
      readonly type?: '1' | '2' | '5';
      readonly extension?: readonly FhirExtension[];
    };
    readonly purposeOfUse?: readonly FhirConcept[];
  }[];
  readonly source: { readonly site?: string; readonly observer: FhirReference; readonly type: readonly FhirCoding[] };
  readonly entity?: readonly {
    readonly what?: FhirReference;
    readonly type: FhirCoding;
    readonly role?: FhirCoding;
    readonly query?: string;
    readonly detail?: readonly { readonly type: string; readonly valueString: string }[];
  }[];
}

const outcomes = { success: '0', denied: '4', failed: '8' } as const;

/** Writes an event as FHIR R4. */
export function toR4(event: AuditEvent, options: FhirOptions): FhirAuditEventR4 {
  const { profile, type, subtype, action, purpose, parties, things, observer, site, failure } = fhirFactsOf(
    event,
    options,
  );
  const system = 'http://terminology.hl7.org/CodeSystem/security-source-type';
  return {
    resourceType: 'AuditEvent',
    id: event.id,
    ...(profile === undefined ? {} : { meta: { profile: [profile] } }),
    type,
    subtype,
    action,
    recorded: event.at,
    outcome: outcomes[event.outcome],
    ...(failure === undefined ? {} : { outcomeDesc: failure }),
    ...(purpose === undefined ? {} : { purposeOfEvent: [purpose] }),
    agent: parties.map(agent),
    source: {
      ...(site === undefined ? {} : { site }),
      observer,
      type: [{ system, code: '4', display: 'Application Server' }],
    },
    ...(things.length === 0 ? {} : { entity: things.map(entity) }),
  };
}

function agent({ type, who, requestor, network, roles, purpose }: FhirParty): FhirAuditEventR4['agent'][number] {
  return {
    type,
    ...(roles.length === 0 ? {} : { role: roles }),
    who,
    requestor,
    ...(network === undefined ? {} : { network: network === 'unknown' ? absent : addressOf(network.address) }),
    ...(purpose === undefined ? {} : { purposeOfUse: [purpose] }),
  };
}

/** @see http://hl7.org/fhir/network-type */
function addressOf(address: string): { readonly address: string; readonly type: '1' | '2' | '5' } {
  if (address.includes('://')) return { address, type: '5' };
  return { address, type: isIpAddress(address) ? '2' : '1' };
}

function entity({ what, type, role, query, detail }: FhirThing): NonNullable<FhirAuditEventR4['entity']>[number] {
  return {
    ...(what === undefined ? {} : { what }),
    type,
    ...(role === undefined ? {} : { role }),
    ...(query === undefined ? {} : { query }),
    ...(detail === undefined ? {} : { detail: detail.map(({ type, value }) => ({ type, valueString: value })) }),
  };
}
