import type { AuditEvent } from '@medzen/core';
import type { FhirCoding, FhirConcept, FhirReference } from './fhir-element.ts';
import { fhirFactsOf } from './fhir-facts.ts';
import type { FhirOptions } from './fhir-options.ts';
import type { FhirParty } from './fhir-parties.ts';
import type { FhirThing } from './fhir-things.ts';

/**
 * An R5 AuditEvent, as far as it is filled here. BALP has no R5 edition, so no profile is claimed.
 *
 * @see https://hl7.org/fhir/R5/auditevent.html
 */
export interface FhirAuditEventR5 {
  readonly resourceType: 'AuditEvent';
  readonly id: string;
  readonly category: readonly FhirConcept[];
  readonly code: FhirConcept;
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E';
  readonly occurredDateTime: string;
  readonly recorded: string;
  readonly outcome: { readonly code: FhirCoding; readonly detail?: readonly FhirConcept[] };
  readonly authorization?: readonly FhirConcept[];
  readonly patient?: FhirReference;
  readonly agent: readonly {
    readonly type: FhirConcept;
    readonly role?: readonly FhirConcept[];
    readonly who: FhirReference;
    readonly requestor: boolean;
    readonly networkUri?: string;
    readonly networkString?: string;
    readonly authorization?: readonly FhirConcept[];
  }[];
  readonly source: {
    readonly site?: FhirReference;
    readonly observer: FhirReference;
    readonly type: readonly FhirConcept[];
  };
  readonly entity?: readonly {
    readonly what?: FhirReference;
    readonly role?: FhirConcept;
    readonly query?: string;
    readonly detail?: readonly { readonly type: FhirConcept; readonly valueString: string }[];
  }[];
}

/** R5 took the severities of OperationOutcome for outcomes; a refusal is one the system meant, a failure one it did not. */
const outcomes = { success: 'success', denied: 'error', failed: 'fatal' } as const;

/** Writes an event as FHIR R5. */
export function toR5(event: AuditEvent, options: FhirOptions): FhirAuditEventR5 {
  const { type, subtype, action, purpose, parties, things, patient, observer, site, failure } = fhirFactsOf(
    event,
    options,
  );
  const system = 'http://terminology.hl7.org/CodeSystem/security-source-type';
  const detail = [event.outcome === 'success' ? undefined : event.outcome, failure].filter(
    (text) => text !== undefined,
  );
  return {
    resourceType: 'AuditEvent',
    id: event.id,
    category: [{ coding: [type] }],
    code: { coding: subtype },
    action,
    occurredDateTime: event.at,
    recorded: event.at,
    outcome: {
      code: { system: 'http://hl7.org/fhir/issue-severity', code: outcomes[event.outcome] },
      ...(detail.length === 0 ? {} : { detail: detail.map((text) => ({ text })) }),
    },
    ...(purpose === undefined ? {} : { authorization: [purpose] }),
    ...(patient === undefined ? {} : { patient }),
    agent: parties.map(agent),
    source: {
      ...(site === undefined ? {} : { site: { display: site } }),
      observer,
      type: [{ coding: [{ system, code: '4', display: 'Application Server' }] }],
    },
    ...(things.length === 0 ? {} : { entity: things.map(entity) }),
  };
}

function agent({ type, who, requestor, network, roles, purpose }: FhirParty): FhirAuditEventR5['agent'][number] {
  const address = network === undefined || network === 'unknown' ? undefined : network.address;
  return {
    type,
    ...(roles.length === 0 ? {} : { role: roles }),
    who,
    requestor,
    ...(address === undefined
      ? {}
      : /^\S+:\/\/\S+$/.test(address)
        ? { networkUri: address }
        : { networkString: address }),
    ...(purpose === undefined ? {} : { authorization: [purpose] }),
  };
}

/** R5 has no type of entity: the role says it, and where there is none, the type. */
function entity({ what, type, role, query, detail }: FhirThing): NonNullable<FhirAuditEventR5['entity']>[number] {
  return {
    ...(what === undefined ? {} : { what }),
    role: { coding: [role ?? type] },
    ...(query === undefined ? {} : { query }),
    ...(detail === undefined
      ? {}
      : { detail: detail.map(({ type, value }) => ({ type: { text: type }, valueString: value })) }),
  };
}
