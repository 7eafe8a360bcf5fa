import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';

const maxPointers = 20;

/**
 * Pointers of a failed validation, each cut where the schema stops naming the fields. A segment is the schema's own when
 * its JSON Schema declares it, when the value lacks it (a missing field can only be named by the schema), or when
 * it is an index. Schemas that cannot describe themselves are so cut early rather than late.
 *
 * @returns distinct pointers, at most 20; `''` is the whole value
 */
export function knownPointers(
  schema: StandardSchemaV1,
  value: unknown,
  issues: readonly StandardSchemaV1.Issue[],
): readonly string[] {
  const described = describe(schema);
  const pointers = new Set<string>();
  for (const issue of issues) {
    if (pointers.size >= maxPointers) break;
    pointers.add(pointerOf(issue, value, described));
  }
  return [...pointers];
}

function pointerOf(issue: StandardSchemaV1.Issue, value: unknown, described: unknown): string {
  let pointer = '';
  let here: unknown = value;
  let node: unknown = described;
  for (const segment of issue.path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment;
    if (typeof key === 'symbol') break;
    const name = String(key);
    const declared = member(member(node, 'properties'), name);
    const isIndex = Array.isArray(here) && /^\d{1,9}$/.test(name);
    if (!isIndex && declared === undefined && present(here, name)) break;
    pointer += `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    node = isIndex ? (member(member(node, 'prefixItems'), name) ?? member(node, 'items')) : declared;
    here = member(here, name);
  }
  return pointer;
}

function describe(schema: StandardSchemaV1): unknown {
  const standard: StandardSchemaV1.Props & Partial<Pick<StandardJSONSchemaV1.Props, 'jsonSchema'>> =
    schema['~standard'];
  try {
    return standard.jsonSchema?.input({ target: 'draft-2020-12' });
  } catch {
    // Not every type can be described; the pointers are then shorter.
    return undefined;
  }
}

function present(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name);
}

function member(value: unknown, name: string): unknown {
  return present(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined; // present() saw an object
}
