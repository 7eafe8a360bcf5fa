import { canonicalize, type ErrorCode, isMedzenError, type MedzenError, toHex } from '@medzen/core';

/** Own assertions, so that the suites run under any runner and on any runtime. */

/** What a case throws when the behaviour does not hold. */
export function fail(message: string): never {
  throw new Error(`Contract broken: ${message}`);
}

/** Fails unless the condition holds. */
export function holds(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message);
}

/** Fails unless both are the same JSON (members of `undefined` do not count; bytes are compared as hexadecimal). */
export function same(actual: unknown, expected: unknown, message: string): void {
  const a = canonicalize(plain(actual));
  const b = canonicalize(plain(expected));
  if (a !== b) fail(`${message}\n  expected ${b}\n  actual   ${a}`);
}

/** The value, unless it is undefined or null. */
export function present<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) fail(`${message}: nothing there`);
  return value;
}

/** The item of a list. */
export function at<T>(list: readonly T[], index: number, message: string): T {
  return present(list[index], `${message} [${index}]`);
}

/**
 * Fails unless the promise rejects with a MedzenError of one of the codes.
 *
 * @returns the error
 */
export async function rejects(
  promise: Promise<unknown>,
  codes: ErrorCode | readonly ErrorCode[],
  message: string,
): Promise<MedzenError> {
  const wanted: readonly string[] = typeof codes === 'string' ? [codes] : codes;
  let answer: unknown;
  try {
    answer = await promise;
  } catch (error) {
    if (!isMedzenError(error)) fail(`${message}: threw something else than a MedzenError: ${String(error)}`);
    if (!wanted.includes(error.code))
      fail(`${message}: expected ${wanted.join(' or ')}, threw ${error.code}: ${error.message}`);
    return error;
  }
  return fail(`${message}: expected ${wanted.join(' or ')}, but it resolved to ${JSON.stringify(plain(answer))}`);
}

/** The members of a union of answers that may have this status. */
type Answer<R, S> = R extends { readonly status: infer T } ? (S extends T ? R : never) : never;

/** Fails unless the answer has this status; narrows it. */
export function status<R extends { readonly status: string }, S extends R['status']>(
  result: R,
  expected: S,
  message: string,
): Answer<R, S> {
  if (result.status !== expected) fail(`${message}: expected ${expected}, answered ${result.status}`);
  return result as Answer<R, S>; // the status was just compared
}

function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return Object.fromEntries(entries.map(([key, item]) => [key, plain(item)]));
  }
  return value;
}
