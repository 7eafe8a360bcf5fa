import { isMedzenError } from './errors.ts';
import type { LogFields } from './logger.ts';

/** Maximum depth to which causes are followed. */
const maxDepth = 8;

/**
 * Describes an error for a log: Medzen's own codes and messages, which are free of PHI, and of what lies below them only the kind of
 * error and its code (a SQLSTATE, `ECONNREFUSED`). Messages of drivers, of gateways and of hosts are left out, because they may quote values,
 * addresses or tokens.
 *
 * @param error - anything caught
 * @returns `code`, and `cause`: the chain from the outside in, as `store_unavailable: The database could not be reached < Error ECONNREFUSED`
 * @example
 * ```ts
 * import { errorFields, MedzenError, stderrLogger } from '@medzen/core';
 * const error = new MedzenError('store_unavailable', 'The database could not be reached');
 * stderrLogger.error('The tick failed', errorFields(error));
 * ```
 */
export function errorFields(error: unknown): { readonly code: string; readonly cause: string } & LogFields {
  const chain: string[] = [];
  const seen = new Set<unknown>();
  let at = error;
  while (at !== undefined && at !== null && !seen.has(at) && chain.length < maxDepth) {
    seen.add(at);
    chain.push(isMedzenError(at) ? `${at.code}: ${at.message}` : kindOf(at));
    at = typeof at === 'object' ? (read(at, 'cause') ?? first(at)) : undefined;
  }
  return {
    code: isMedzenError(error) ? error.code : 'internal',
    cause: chain.length === 0 ? `a thrown ${error}` : chain.join(' < '),
  };
}

/** The constructor's name and a code that looks like one: nothing else of a stranger's error. */
function kindOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return `a thrown ${typeof error}`;
  const words = [read(error, 'name'), read(error, 'code'), read(error, 'status')];
  const plain = words.filter((word) => typeof word === 'number' || (typeof word === 'string' && plainWord.test(word)));
  return plain.length === 0 ? 'an error' : plain.join(' ');
}

const plainWord = /^[A-Za-z][A-Za-z0-9_]{0,63}$|^[0-9A-Z]{5}$/;

function read(value: object, key: string): unknown {
  try {
    return Reflect.get(value, key);
  } catch {
    return undefined; // a getter of a stranger's
  }
}

/** The first of an `AggregateError`'s. */
function first(error: object): unknown {
  const errors = read(error, 'errors');
  return Array.isArray(errors) ? errors[0] : undefined;
}
