import { MedzenError } from '@medzen/core';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type ByteSize, byteSize } from '../duration.ts';
import { validate } from '../validate.ts';
import type { BodyReader } from './body-reader.ts';
import { parseJson } from './parse-json.ts';

/** Bounds of a JSON body. */
export interface JsonOptions {
  /** Default 100 kb. */
  readonly maxBytes?: ByteSize;
  /** Nesting of arrays and objects, 1–128. Default 16. */
  readonly maxDepth?: number;
  /** Keys of all objects together. Default 1000. */
  readonly maxKeys?: number;
  /** Default `['application/json']`; any `application/…+json` must be named. */
  readonly mediaTypes?: readonly string[];
}

/**
 * A JSON body, bounded and typed by any Standard Schema (Zod, Valibot, ArkType, …).
 *
 * Beyond what the schema says, these are refused: another media type (415), more bytes than allowed (413), and with 422
 * text that is not UTF-8 or not JSON, nesting or key counts past the bounds, the same key twice in an object,
 * `__proto__`, `constructor` and `prototype` as keys, lone surrogates and NUL (which Postgres cannot store).
 *
 * @param schema - what the handler gets is its output
 * @throws MedzenError `invalid_configuration`
 * @see RFC 8259, RFC 7493 (I-JSON)
 * @example
 * ```ts
 * import { json } from '@medzen/security';
 * import { z } from 'zod';
 * json(z.object({ location: z.string().max(8) }), { maxBytes: '4kb' });
 * ```
 */
export function json<S extends StandardSchemaV1>(
  schema: S,
  options: JsonOptions = {},
): BodyReader<StandardSchemaV1.InferOutput<S>> {
  const { maxDepth = 16, maxKeys = 1000, mediaTypes = ['application/json'] } = options;
  if (!(Number.isInteger(maxDepth) && maxDepth >= 1 && maxDepth <= 128))
    throw new MedzenError('invalid_configuration', 'maxDepth must be 1–128');
  if (!(Number.isInteger(maxKeys) && maxKeys >= 0))
    throw new MedzenError('invalid_configuration', 'maxKeys must be ≥ 0');
  return {
    mediaTypes: mediaTypes.map((type) => type.toLowerCase()),
    maxBytes: byteSize(options.maxBytes ?? '100kb'),
    parse: async (bytes) => validate(schema, parseJson(bytes, { maxDepth, maxKeys })),
  };
}
