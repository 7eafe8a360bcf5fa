import { MedzenError } from '@medzen/core';
import type { AuditedModel } from './audited-model.ts';

/** One model of the host's Prisma schema, as far as reads of PHI are concerned. */
export interface ModelShape {
  readonly name: string;
  /** Fields that hold a value, and their types. */
  readonly scalars: ReadonlyMap<string, string>;
  /** Fields that hold other models' rows. */
  readonly relations: ReadonlyMap<string, ModelShape>;
  /** What the client leaves out of every row unless asked (`new PrismaClient({ omit })`). */
  readonly omitted: Readonly<Record<string, unknown>>;
  /** Whether an audited model can be reached from it, itself included. */
  readonly reaches: boolean;
  readonly audited: AuditedShape | undefined;
}

/** What of the model is audited. */
export interface AuditedShape {
  /** Relations, and the field at their end. */
  readonly patient: readonly string[];
  readonly phi: readonly string[];
}

interface Field {
  readonly name: string;
  readonly kind: string;
  readonly type: string;
}

type Making = { -readonly [K in keyof ModelShape]: ModelShape[K] } & {
  readonly scalars: Map<string, string>;
  readonly relations: Map<string, ModelShape>;
};

/** Types that are a person's id when written as text. */
const idTypes: ReadonlySet<string> = new Set(['String', 'Int', 'BigInt']);

/**
 * Reads the models off a client. The client's data model is no public interface of Prisma's, but the same in 6 and 7; without it
 * nobody could tell a relation from a value, so its absence is an error and not a guess.
 *
 * @throws MedzenError `invalid_configuration`
 */
export function modelShapes(
  client: object,
  audited: Readonly<Record<string, AuditedModel>>,
): ReadonlyMap<string, ModelShape> {
  const models = modelsOf(client);
  const omitted = entry(client, '_globalOmit');
  const shapes = new Map<string, Making>();
  for (const name of Object.keys(models)) {
    const own = entry(omitted, name.charAt(0).toLowerCase() + name.slice(1));
    shapes.set(name, {
      name,
      scalars: new Map(),
      relations: new Map(),
      omitted: (own ?? {}) as Record<string, unknown>, // field names, as Prisma's own constructor checked
      reaches: Object.hasOwn(audited, name),
      audited: undefined,
    });
  }
  for (const [name, { fields }] of Object.entries(models)) {
    const shape = shapes.get(name);
    for (const field of fields) {
      const target = field.kind === 'object' ? shapes.get(field.type) : undefined;
      if (target === undefined) shape?.scalars.set(field.name, field.type);
      else shape?.relations.set(field.name, target);
    }
  }
  for (const [name, model] of Object.entries(audited)) {
    const shape = shapes.get(name);
    if (shape === undefined) throw wrong(`The Prisma schema has no model ${name}`);
    shape.audited = { patient: patientPath(shape, model), phi: phiOf(shape, model) };
  }
  for (let changed = true; changed; ) {
    changed = false;
    for (const shape of shapes.values()) {
      if (shape.reaches || ![...shape.relations.values()].some(({ reaches }) => reaches)) continue;
      shape.reaches = true;
      changed = true;
    }
  }
  return shapes;
}

function modelsOf(client: object): Readonly<Record<string, { readonly fields: readonly Field[] }>> {
  const models = entry(entry(client, '_runtimeDataModel'), 'models');
  const known =
    typeof models === 'object' &&
    models !== null &&
    Object.values(models).every((model) => Array.isArray(entry(model, 'fields')));
  if (!known) throw wrong('This Prisma client does not tell its data model; Prisma 6 and 7 do');
  return models as Record<string, { fields: Field[] }>; // as far as is used, and checked above
}

function patientPath(shape: ModelShape, { patient }: AuditedModel): readonly string[] {
  const path = patient.split('.');
  let at: ModelShape | undefined = shape;
  for (const relation of path.slice(0, -1)) at = at?.relations.get(relation);
  const type = at?.scalars.get(path.at(-1) ?? '');
  if (type === undefined) throw wrong(`${shape.name} has no field ${patient} to tell the patient by`);
  if (!idTypes.has(type)) throw wrong(`${shape.name}.${patient} is a ${type}, not the id of a patient`);
  return path;
}

function phiOf(shape: ModelShape, { phi }: AuditedModel): readonly string[] {
  if (phi.length === 0) throw wrong(`${shape.name} is audited without a field that holds PHI`);
  const unknown = phi.find((field) => !shape.scalars.has(field));
  if (unknown !== undefined) throw wrong(`${shape.name} has no field ${unknown} that holds a value`);
  return [...new Set(phi)];
}

function wrong(message: string): MedzenError {
  return new MedzenError('invalid_configuration', `auditedModels: ${message}`);
}

function entry(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
