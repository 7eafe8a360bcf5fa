import { toHex, type WireValue } from '@medzen/core';
import type { SqlFunction } from './migration.ts';
import { checkedSchema } from './schema-name.ts';
import { isJsonValue, statementOf } from './statement.ts';

/** A call whose values are all text: `$1 …` in `text` stand for `values`, and the server casts each to its type. */
export interface TextStatement {
  readonly text: string;
  readonly values: (string | null)[];
}

/** Where the functions are. */
export interface TextStatementOptions {
  /** Name of the schema; `medzen` when absent. */
  readonly schema?: string | undefined;
  /** Functions of the schema besides the library's own: a host's, or a contract suite's. */
  readonly functions?: Readonly<Record<string, SqlFunction>> | undefined;
}

/**
 * For the author of a wire: writes calls for a client that guesses the types of what it is given. Everything is sent as text
 * and cast by the server, so that its guesses do not matter.
 *
 * @returns writes the call of one function, which throws MedzenError `internal` for a function or argument that does not exist
 * @throws MedzenError `invalid_configuration` when the schema's name is not a plain one
 * @example
 * ```ts
 * import { textStatements } from '@medzen/sql';
 * const write = textStatements();
 * const { text, values } = write('leaf_of', { event_id: '0199f3c2-7c00-7000-8000-000000000001' });
 * // SELECT * FROM medzen.leaf_of(p_event_id => $1::text::text) AS result
 * ```
 */
export function textStatements(
  options: TextStatementOptions = {},
): (name: string, args: Readonly<Record<string, WireValue>>) => TextStatement {
  const style = {
    schema: checkedSchema(options.schema ?? 'medzen'),
    functions: options.functions,
    cast: (place: string, type: string): string => `${place}::text::${type}`,
  };
  return (name, args) => {
    const { text, values } = statementOf(name, args, style);
    return { text, values: values.map(toText) };
  };
}

function toText(value: WireValue): string | null {
  if (value === null || typeof value === 'string') return value;
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint8Array) return `\\x${toHex(value)}`;
  if (isJsonValue(value)) return JSON.stringify(value.json);
  return `{${value.map((item) => quoted(typeof item === 'string' ? item : `\\x${toHex(item)}`)).join(',')}}`;
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
