// The constraints of IHE BALP 1.1.4, one row for each element of the differential of its StructureDefinitions (ihe.iti.balp 1.1.4, 2025-10-31,
// https://profiles.ihe.net/ITI/BALP/1.1.4/), so that a row can be held against the text it comes from. `mustSupport` without a rule is left out.

/** One element's constraint. `at` is its id in the StructureDefinition, without `AuditEvent.`. */
interface Row {
  readonly at: string;
  readonly min?: number;
  readonly max?: number;
  /** FHIR's pattern[x]: what stands here must stand there too. */
  readonly pattern?: unknown;
  /** A required binding: `system|code`. */
  readonly codes?: readonly string[];
  readonly reference?: string;
}

const base = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.';
const interaction = 'http://hl7.org/fhir/restful-interaction';
const dicom = 'http://dicom.nema.org/resources/ontology/DCM';
const participation = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType';
const entityType = 'http://terminology.hl7.org/CodeSystem/audit-entity-type';
const objectRole = 'http://terminology.hl7.org/CodeSystem/object-role';
const custodian = { system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type', code: 'custodian' };
const dcm = (code: string) => ({ system: dicom, code });

/** The codes by which a slice is known: its discriminator, `type`. */
interface Slices {
  readonly [slice: string]: readonly string[];
}
const known = ({ system, code }: { system: string; code: string }) => [`${system}|${code}`];
const dataSources = ['AUT', 'INF', 'CST'].map((code) => `${participation}|${code}`); // ValueSet-DataSources
const restObjectRoles = ['4', '3', '20'].map((code) => `${objectRole}|${code}`); // ValueSet-RestObjectRoles

/** Rows that Create, Read, Update, Delete and Query have alike. */
const alike: readonly Row[] = [
  { at: 'type', pattern: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' } },
  { at: 'subtype', min: 1 },
  { at: 'outcome', min: 1, pattern: '0' },
  { at: 'agent', min: 2 },
  { at: 'agent:client', min: 1, max: 1 },
  { at: 'agent:client.type', min: 1 },
  { at: 'agent:client.who', min: 1 },
  { at: 'agent:client.media', max: 0 },
  { at: 'agent:client.network', min: 1 },
  { at: 'agent:server', min: 1, max: 1 },
  { at: 'agent:server.type', min: 1 },
  { at: 'agent:server.who', min: 1 },
  { at: 'agent:server.media', max: 0 },
  { at: 'agent:server.network', min: 1 },
  { at: 'agent:user', min: 0, max: 1 },
  { at: 'agent:user.type', min: 1 },
  { at: 'agent:user.who', min: 1 },
  { at: 'agent:user.requestor', pattern: true },
  { at: 'agent:user.media', max: 0 },
  { at: 'agent:user.network', max: 0 },
  { at: 'entity', min: 1 },
  { at: 'entity:transaction', min: 0, max: 1 },
  { at: 'entity:transaction.what.identifier.value', min: 1 },
];

/** Rows of the four that concern one resource. */
const data: readonly Row[] = [
  { at: 'entity:data', min: 1, max: 1 },
  { at: 'entity:data.what', min: 1 },
  { at: 'entity:data.role', codes: restObjectRoles },
];
const roleOfData: Row = { at: 'entity:data.role', min: 1 }; // of Create, Update and Delete, not of Read

/** Rows of every profile with a patient. */
const patient: readonly Row[] = [
  { at: 'entity', min: 2 },
  { at: 'entity:patient', min: 1, max: 1 },
  { at: 'entity:patient.what', min: 1, reference: 'Patient' },
  { at: 'entity:patient.role', min: 1, pattern: { system: objectRole, code: '1' } },
];

const subtype = (slice: string, ...codes: readonly string[]): Row => ({
  at: `subtype:${slice}`,
  min: 1,
  max: 1,
  codes: codes.map((code) => `${interaction}|${code}`),
});

const sent = { client: known(dcm('110153')), server: known(dcm('110152')) };
const entities = {
  transaction: ['https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType|XrequestId'],
  data: [`${entityType}|2`],
  query: [`${entityType}|2`],
  patient: [`${entityType}|1`],
};
const recipient = { user: known({ system: participation, code: 'IRCP' }) };

const tables: Readonly<Record<string, { readonly agents: Slices; readonly rows: readonly Row[] }>> = {
  Create: {
    agents: { ...sent, user: dataSources },
    rows: [{ at: 'action', pattern: 'C' }, subtype('anyCreate', 'create'), ...data, roleOfData],
  },
  Read: {
    agents: { client: sent.server, server: sent.client, ...recipient },
    rows: [{ at: 'action', pattern: 'R' }, subtype('anyRead', 'read', 'vread'), ...data],
  },
  Update: {
    agents: { ...sent, user: dataSources },
    rows: [{ at: 'action', pattern: 'U' }, subtype('anyUpdate', 'update', 'patch'), ...data, roleOfData],
  },
  Delete: {
    agents: { client: known(dcm('110150')), server: known(custodian), user: dataSources },
    rows: [{ at: 'action', pattern: 'D' }, subtype('anyDelete', 'delete'), ...data, roleOfData],
  },
  Query: {
    agents: { ...sent, ...recipient },
    rows: [
      { at: 'action', pattern: 'E' },
      subtype('anySearch', 'search', 'search-type', 'search-system'),
      { at: 'entity:query', min: 1, max: 1 },
      { at: 'entity:query.what', max: 0 },
      { at: 'entity:query.role', min: 1, pattern: { system: objectRole, code: '24' } },
      { at: 'entity:query.lifecycle', max: 0 },
      { at: 'entity:query.query', min: 1 },
      { at: 'entity:query.detail', max: 0 },
    ],
  },
};

/** How many constraints a profile has here. */
export function balpRows(profile: string): readonly Row[] {
  const name = profile.slice(base.length);
  const plain = name.replace(/^Patient/, '');
  return [...alike, ...(tables[plain]?.rows ?? []), ...(plain === name ? [] : patient)];
}

/**
 * Holds a resource against the profile that it claims in `meta.profile`.
 *
 * @returns what does not hold, by element id; a profile that is none of BALP's is itself a violation
 */
export function balpViolations(resource: object): readonly string[] {
  const profile = values(resource, ['meta', 'profile'])[0];
  const agents =
    typeof profile === 'string' ? tables[profile.slice(base.length).replace(/^Patient/, '')]?.agents : undefined;
  if (typeof profile !== 'string' || !profile.startsWith(base) || agents === undefined)
    return ['meta.profile: not of BALP'];
  return balpRows(profile).flatMap((row) => check(row, resource, { agent: agents, entity: entities }));
}

function check(row: Row, resource: object, slices: Readonly<Record<string, Slices>>): readonly string[] {
  const [head = '', ...rest] = row.at.split('.');
  const [name = '', slice] = head.split(':');
  const all = values(resource, [name]);
  const chosen =
    slice === undefined
      ? all
      : name === 'subtype'
        ? all.filter((item) => row.codes?.includes(codesOf(item)[0] ?? ''))
        : all.filter((item) =>
            codesOf(values(item, ['type'])[0]).some((code) => slices[name]?.[slice]?.includes(code)),
          );
  // A rule on a child holds in each chosen parent; one on the slice itself is counted over the parent.
  const places = rest.length === 0 ? [chosen] : chosen.map((item) => values(item, rest));
  return places.flatMap((found) => {
    const wrong: string[] = [];
    if (found.length < (row.min ?? 0)) wrong.push(`${row.at}: fewer than ${row.min}`);
    if (row.max !== undefined && found.length > row.max) wrong.push(`${row.at}: more than ${row.max}`);
    if (row.pattern !== undefined && !found.every((item) => matches(item, row.pattern)))
      wrong.push(`${row.at}: pattern`);
    if (row.codes !== undefined && !found.every((item) => codesOf(item).some((code) => row.codes?.includes(code))))
      wrong.push(`${row.at}: binding`);
    if (row.reference !== undefined && !found.every((item) => refersTo(item, row.reference ?? '')))
      wrong.push(`${row.at}: reference`);
    return wrong;
  });
}

/** What stands at a path, lists flattened. */
function values(from: unknown, path: readonly string[]): readonly unknown[] {
  let found: readonly unknown[] = [from];
  for (const step of path)
    found = found.flatMap((item) => {
      const next: unknown = typeof item === 'object' && item !== null ? Reflect.get(item, step) : undefined;
      return (Array.isArray(next) ? next : [next]).filter((one) => !isNothing(one));
    });
  return found;
}

/** FHIR's ele-1: an element without a value and without children is none. */
function isNothing(value: unknown): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

/** `system|code` of a Coding, or of each coding of a CodeableConcept. */
function codesOf(item: unknown): readonly string[] {
  const codings = values(item, ['coding']);
  return (codings.length === 0 ? [item] : codings).map(
    (coding) => `${String(values(coding, ['system'])[0])}|${String(values(coding, ['code'])[0])}`,
  );
}

function matches(value: unknown, pattern: unknown): boolean {
  if (typeof pattern !== 'object' || pattern === null) return value === pattern;
  if (Array.isArray(pattern))
    return Array.isArray(value) && pattern.every((one) => value.some((item) => matches(item, one)));
  return Object.entries(pattern).every(([key, one]) => matches(values(value, [key])[0], one));
}

function refersTo(item: unknown, type: string): boolean {
  const literal = values(item, ['reference'])[0];
  return typeof literal === 'string' ? literal.split('/').at(-2) === type : values(item, ['type'])[0] === type;
}
