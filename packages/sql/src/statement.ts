import { MedzenError, type WireValue } from '@medzen/core';
import { manifest } from './manifest.generated.ts';
import type { SqlFunction } from './migration.ts';

/** A call, ready for a driver: `$1 …` in `text` stand for `values`. */
export interface Statement {
  readonly text: string;
  readonly values: readonly WireValue[];
  /** The same for every call with the same text. */
  readonly key: string;
}

/** How a driver's statements are written. */
export interface StatementStyle {
  /** Checked already. */
  readonly schema: string;
  /** Functions of the schema besides the manifest's. */
  readonly functions: Readonly<Record<string, SqlFunction>> | undefined;
  /** A parameter's place and type: `$1::text`, for example. */
  cast(place: string, type: string): string;
}

/**
 * Writes the call of a function of the manifest. Only names of the manifest get into the text.
 * A function that returns one `jsonb` gives the column `result`; one that returns a table gives its columns.
 *
 * @throws MedzenError `internal` for a function or argument that the manifest does not have: a bug of the caller
 */
export function statementOf(
  name: string,
  args: Readonly<Record<string, WireValue>>,
  { schema, functions, cast }: StatementStyle,
): Statement {
  const known = functions !== undefined && Object.hasOwn(functions, name) ? functions : manifest;
  const types = Object.hasOwn(known, name) ? known[name]?.args : undefined;
  if (types === undefined) throw new MedzenError('internal', `Internal: the manifest has no function ${name}`);
  const values: WireValue[] = [];
  const given: string[] = [];
  let shape = '';
  for (const [key, type] of Object.entries(types)) {
    const value = Object.hasOwn(args, key) ? args[key] : undefined;
    shape += value === undefined ? '0' : '1';
    if (value !== undefined) given.push(`p_${key} => ${cast(`$${values.push(value)}`, type)}`);
  }
  if (values.length !== Object.keys(args).length)
    throw new MedzenError('internal', `${name} was given an argument that it does not have, or one without a value`);
  const text = `SELECT * FROM ${schema}.${name}(${given.join(', ')}) AS result`;
  return { text, values, key: `${shape}.${schema}.${name}` };
}

/** Narrows a value of the wire to one that is to be sent as JSON. */
export function isJsonValue(value: WireValue): value is Extract<WireValue, { readonly json: unknown }> {
  return typeof value === 'object' && value !== null && 'json' in value;
}
