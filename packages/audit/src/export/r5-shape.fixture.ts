// Elements of the R5 AuditEvent that the export fills, with their cardinalities (https://hl7.org/fhir/R5/auditevent-definitions.html). Closed:
// anything else is a violation. A stand-in for a validator, since none on npm knows R5's AuditEvent; as strict on structure as one.

type Shape = Readonly<Record<string, readonly [min: 0 | 1, max: 1 | '*', type: RegExp | 'boolean' | Shape]>>;

const text = /^(?=[\s\S]*\S)[^\p{Cc}]*$/u;
const uri = /^\S+$/;
const code = /^\S+( \S+)*$/;
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const coding: Shape = { system: [0, 1, uri], code: [0, 1, code], display: [0, 1, text] };
const concept: Shape = { coding: [0, '*', coding], text: [0, 1, text] };
const extension: Shape = { url: [1, 1, uri], valueCode: [0, 1, code] };
const reference: Shape = {
  reference: [0, 1, text],
  type: [0, 1, uri],
  identifier: [0, 1, { system: [0, 1, uri], value: [0, 1, text] }],
  display: [0, 1, text],
  extension: [0, '*', extension],
};

const auditEvent: Shape = {
  resourceType: [1, 1, /^AuditEvent$/],
  id: [0, 1, /^[A-Za-z0-9\-.]{1,64}$/],
  category: [0, '*', concept],
  code: [1, 1, concept],
  action: [0, 1, /^[CRUDE]$/],
  occurredDateTime: [0, 1, instant],
  recorded: [1, 1, instant],
  outcome: [0, 1, { code: [1, 1, coding], detail: [0, '*', concept] }],
  authorization: [0, '*', concept],
  patient: [0, 1, reference],
  agent: [
    1,
    '*',
    {
      type: [0, 1, concept],
      role: [0, '*', concept],
      who: [1, 1, reference],
      requestor: [0, 1, 'boolean'],
      networkUri: [0, 1, uri],
      networkString: [0, 1, text],
      authorization: [0, '*', concept],
    },
  ],
  source: [1, 1, { site: [0, 1, reference], observer: [1, 1, reference], type: [0, '*', concept] }],
  entity: [
    0,
    '*',
    {
      what: [0, 1, reference],
      role: [0, 1, concept],
      query: [0, 1, /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/],
      detail: [0, '*', { type: [1, 1, concept], valueString: [1, 1, text] }],
    },
  ],
};

/** What in a resource is no R5 AuditEvent, by path. */
export function r5Violations(resource: unknown): readonly string[] {
  return violations(resource, auditEvent, 'AuditEvent');
}

function violations(value: unknown, shape: Shape, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: no element`];
  const entries = new Map<string, unknown>(Object.entries(value));
  const wrong: string[] = entries.size === 0 ? [`${path}: empty`] : [];
  for (const key of entries.keys()) if (shape[key] === undefined) wrong.push(`${path}.${key}: unknown`);
  for (const [key, [min, max, type]] of Object.entries(shape)) {
    const at = `${path}.${key}`;
    const found = entries.get(key);
    if (found === undefined) {
      if (min === 1) wrong.push(`${at}: missing`);
      continue;
    }
    if (Array.isArray(found) !== (max === '*')) wrong.push(`${at}: ${max === '*' ? 'a list' : 'no list'}`);
    const items: readonly unknown[] = Array.isArray(found) ? found : [found];
    if (items.length === 0) wrong.push(`${at}: an empty list`);
    for (const item of items) {
      if (type === 'boolean') wrong.push(...(typeof item === 'boolean' ? [] : [`${at}: no boolean`]));
      else if (type instanceof RegExp)
        wrong.push(...(typeof item === 'string' && type.test(item) ? [] : [`${at}: format`]));
      else wrong.push(...violations(item, type, at));
    }
  }
  return wrong;
}
