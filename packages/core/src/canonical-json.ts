import { MedzenError } from './errors.ts';

/** Anything JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The canonical JSON text of a value: keys sorted by UTF-16 code units, no white space, numbers as ECMAScript writes
 * them. Two equal values have equal bytes, in any language that follows the RFC.
 *
 * Strict where `JSON.stringify` is silent: `undefined` inside an array, functions, symbols, bigint, NaN, infinities,
 * lone surrogates, cycles and nesting past 128 are refused, because what cannot be read back must not be signed.
 * A property whose value is `undefined` is left out, as JSON does.
 *
 * @param value - plain data; objects with a `toJSON` (a Date, say) are refused, convert them first
 * @returns the text; its UTF-8 bytes are what is hashed
 * @throws MedzenError `invalid_input`
 * @see RFC 8785
 * @example
 * ```ts
 * import { canonicalize } from '@medzen/core';
 * canonicalize({ b: 1e21, a: '€' }); // '{"a":"€","b":1e+21}'
 * ```
 */
export function canonicalize(value: unknown): string {
  return write(value, 0);
}

const maxDepth = 128;

function refuse(what: string): never {
  throw new MedzenError('invalid_input', `Cannot write canonical JSON: ${what}`);
}

function write(value: unknown, depth: number): string {
  if (depth > maxDepth) refuse('nested too deeply, or a cycle');
  switch (typeof value) {
    case 'string':
      return writeString(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      return Number.isFinite(value) ? JSON.stringify(value) : refuse('a number that is not finite');
    case 'object':
      break;
    default:
      return refuse(`a value of type ${typeof value}`);
  }
  if (value === null) return 'null';
  if (Array.isArray(value)) {
    let text = '[';
    for (let i = 0; i < value.length; i++) text += (i === 0 ? '' : ',') + write(value[i], depth + 1);
    return `${text}]`;
  }
  return writeObject(value, depth);
}

function writeString(text: string): string {
  if (!text.isWellFormed()) refuse('a lone surrogate');
  return JSON.stringify(text);
}

function writeObject(value: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null)
    refuse('an object of a class');
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let text = '{';
  for (const [key, item] of entries) {
    text += `${text.length === 1 ? '' : ','}${writeString(key)}:${write(item, depth + 1)}`;
  }
  return `${text}}`;
}
