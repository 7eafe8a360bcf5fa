import { MedzenError } from '@medzen/core';
import { decodeForm } from '@medzen/core/webhooks';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type ByteSize, byteSize } from '../duration.ts';
import { validate } from '../validate.ts';
import type { BodyReader } from './body-reader.ts';

/** Bounds of a form. */
export interface FormOptions {
  /** Default 100 kb. */
  readonly maxBytes?: ByteSize;
  /** Fields, repeated ones counted each. Default 1000. */
  readonly maxFields?: number;
}

/** A form's fields: a text, or several in order when the name is repeated. */
export type FormFields = Readonly<Record<string, string | readonly string[]>>;

/**
 * An `application/x-www-form-urlencoded` body. With a schema, typed by it; without, the fields as they are.
 *
 * @throws MedzenError `invalid_configuration`
 * @see https://url.spec.whatwg.org/#application/x-www-form-urlencoded
 * @example
 * ```ts
 * import { form } from '@medzen/security';
 * import { z } from 'zod';
 * form(z.object({ RoomSid: z.string(), StatusCallbackEvent: z.string() }), { maxBytes: '64kb' });
 * ```
 */
export function form(schema?: undefined, options?: FormOptions): BodyReader<FormFields>;
export function form<S extends StandardSchemaV1>(
  schema: S,
  options?: FormOptions,
): BodyReader<StandardSchemaV1.InferOutput<S>>;
export function form(schema?: StandardSchemaV1, options: FormOptions = {}): BodyReader<unknown> {
  const { maxFields = 1000 } = options;
  return {
    mediaTypes: ['application/x-www-form-urlencoded'],
    maxBytes: byteSize(options.maxBytes ?? '100kb'),
    parse: async (bytes) => {
      const fields = formFields(bytes, maxFields);
      return schema === undefined ? fields : validate(schema, fields);
    },
  };
}

function formFields(bytes: Uint8Array, maxFields: number): FormFields {
  const pairs = decodeForm(bytes);
  if (pairs === undefined) throw new MedzenError('invalid_input', 'The form must be UTF-8');
  return gatherFields(pairs, maxFields);
}

/**
 * Pairs as an object; a repeated name becomes an array.
 *
 * @throws MedzenError `invalid_input` for too many pairs, a forbidden name, or NUL
 */
export function gatherFields(pairs: URLSearchParams, maxFields: number): FormFields {
  const fields: Record<string, string | string[]> = {};
  let count = 0;
  for (const [name, value] of pairs) {
    if (++count > maxFields) throw new MedzenError('invalid_input', 'There are too many fields');
    if (name === '__proto__' || name === 'constructor' || name === 'prototype')
      throw new MedzenError('invalid_input', 'The name of a field is forbidden');
    if (name.includes('\0') || value.includes('\0'))
      throw new MedzenError('invalid_input', 'A field holds a forbidden character');
    // Asked of the object itself: every object has a `toString`.
    const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (known === undefined) fields[name] = value;
    else if (typeof known === 'string') fields[name] = [known, value];
    else known.push(value);
  }
  return fields;
}
