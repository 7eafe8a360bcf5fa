import { MedzenError } from '@medzen/core';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { knownPointers } from './known-pointers.ts';

/**
 * Puts a value to any Standard Schema.
 *
 * @returns the schema's output
 * @throws MedzenError `invalid_input`, with JSON Pointers of what was wrong as far as the schema itself names the fields:
 * a key that a client chose (of a record, an unknown field) is never repeated, a value and the schema's message never.
 * @see https://standardschema.dev
 * @example
 * ```ts
 * import { validate } from '@medzen/security';
 * import { z } from 'zod';
 * await validate(z.object({ age: z.number() }), { age: 7 }); // { age: 7 }
 * ```
 */
export async function validate<S extends StandardSchemaV1>(
  schema: S,
  value: unknown,
): Promise<StandardSchemaV1.InferOutput<S>> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value as StandardSchemaV1.InferOutput<S>; // what the schema promises
  throw new MedzenError('invalid_input', 'The request does not fit its schema', {
    pointers: knownPointers(schema, value, result.issues),
  });
}
