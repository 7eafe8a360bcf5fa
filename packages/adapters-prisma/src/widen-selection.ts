import type { ModelShape } from './model-shape.ts';

/** What a call asks to get back: of a row, and of the rows nested in it. */
export type Selection = Readonly<Record<string, unknown>>;

/** What was added to a selection, and must not be in the answer. */
export interface Hidden {
  /** Fields and relations to take out of the row; `kept`, out of sight only, where a computed field may still need the value. */
  readonly fields: Map<string, 'removed' | 'kept'>;
  /** The same of nested rows, by relation. */
  readonly within: Map<string, Hidden>;
}

/** A selection that also asks whose each row is. */
export interface Widened {
  readonly args: Selection;
  readonly hidden: Hidden;
  /** Rows of this selection have PHI for certain: the caller must be known before they are read. */
  readonly phi: boolean;
}

/** Nothing hidden. */
export function nothingHidden(): Hidden {
  return { fields: new Map(), within: new Map() };
}

/** Adds to a selection, at every depth, the key of the patient where PHI is selected without it. The given one stays as it is. */
export function widenSelection(shape: ModelShape, given: Selection): Widened {
  const args = { ...given };
  const hidden = nothingHidden();
  let phi = false;
  const part = partOf(args);
  if (part !== undefined) {
    const chosen = { ...(args[part] as Selection) }; // partOf looked
    args[part] = chosen;
    for (const [relation, target] of shape.relations) {
      const value = chosen[relation];
      if (!target.reaches || !(value === true || isSelection(value))) continue;
      const nested = widenSelection(target, value === true ? {} : value);
      if (Object.keys(nested.args).length > 0) chosen[relation] = nested.args;
      hidden.within.set(relation, nested.hidden);
      phi ||= nested.phi;
    }
  }
  if (shape.audited === undefined) return { args, hidden, phi };

  const certain = shape.audited.phi.some((field) => isReturned(shape, args, field));
  if (certain || mayCompute(shape, args)) demand(shape, args, shape.audited.patient, hidden);
  return { args, hidden, phi: phi || certain };
}

/** Sees to it that `path` is selected, and notes what had to be added. */
function demand(
  shape: ModelShape,
  args: Record<string, unknown>,
  [name, ...rest]: readonly string[],
  hidden: Hidden,
): void {
  if (name === undefined) return;
  const part = partOf(args);
  if (rest.length === 0) {
    if (isReturned(shape, args, name)) return;
    hidden.fields.set(name, mayCompute(shape, args) ? 'kept' : 'removed');
    if (part === 'select') args.select = { ...(args.select as Selection), [name]: true };
    else args.omit = { ...(isSelection(args.omit) ? args.omit : {}), [name]: false };
    return;
  }
  const target = shape.relations.get(name);
  if (target === undefined) return; // modelShapes walked the path
  const into = part ?? 'include';
  const chosen = isSelection(args[into]) ? args[into] : {};
  const value = chosen[name];
  const loaded = value === true || isSelection(value);
  const nested: Record<string, unknown> = loaded ? (value === true ? {} : { ...value }) : { select: {} };
  if (!loaded) hidden.fields.set(name, 'removed');
  const within = hidden.within.get(name) ?? nothingHidden();
  hidden.within.set(name, within);
  demand(target, nested, rest, within);
  args[into] = { ...chosen, [name]: Object.keys(nested).length > 0 ? nested : true };
}

function isReturned(shape: ModelShape, args: Selection, field: string): boolean {
  if (partOf(args) === 'select') return (args.select as Selection)[field] === true; // partOf looked
  const own = isSelection(args.omit) ? args.omit[field] : undefined;
  return (typeof own === 'boolean' ? own : shape.omitted[field]) !== true;
}

/** Whether another extension may compute a field of these rows: without `select` any, with it one that the schema does not have. */
function mayCompute(shape: ModelShape, args: Selection): boolean {
  if (partOf(args) !== 'select') return true;
  const foreign = (key: string): boolean => key !== '_count' && !shape.scalars.has(key) && !shape.relations.has(key);
  return Object.entries(args.select as Selection).some(([key, value]) => value === true && foreign(key)); // partOf looked
}

function partOf(args: Selection): 'select' | 'include' | undefined {
  if (isSelection(args.select)) return 'select';
  return isSelection(args.include) ? 'include' : undefined;
}

/** A plain object: not null, and not the mark `Prisma.skip`. */
export function isSelection(value: unknown): value is Selection {
  if (typeof value !== 'object' || value === null) return false;
  const made = Object.getPrototypeOf(value);
  return made === Object.prototype || made === null;
}
