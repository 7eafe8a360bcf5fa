import { MedzenError } from '@medzen/core';

/** Reads one value out of a function's `jsonb`. @throws MedzenError `internal` when it has another shape: an altered database */
export type Reader<T> = (value: unknown, path: string) => T;

/** What a reader gives. */
type Read<R> = R extends Reader<infer T> ? T : never;

function wrong(path: string, expected: string): never {
  throw new MedzenError('internal', `The database answered with something else than ${expected} at ${path}`);
}

export const text: Reader<string> = (value, path) => (typeof value === 'string' ? value : wrong(path, 'text'));

export const number: Reader<number> = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) ? value : wrong(path, 'a number');

export const integer: Reader<number> = (value, path) =>
  Number.isSafeInteger(value) ? number(value, path) : wrong(path, 'an integer');

export const flag: Reader<boolean> = (value, path) => (typeof value === 'boolean' ? value : wrong(path, 'a boolean'));

/** One of a closed set of texts. */
export function oneOf<const T extends string>(...allowed: readonly T[]): Reader<T> {
  return (value, path) => allowed.find((item) => item === value) ?? wrong(path, allowed.join(' or '));
}

export function list<T>(item: Reader<T>): Reader<readonly T[]> {
  return (value, path) =>
    Array.isArray(value) ? value.map((entry, at) => item(entry, `${path}/${at}`)) : wrong(path, 'a list');
}

/** The value, or undefined for SQL's null. */
export function maybe<T>(read: Reader<T>): Reader<T | undefined> {
  return (value, path) => (value === null || value === undefined ? undefined : read(value, path));
}

type Members = Readonly<Record<string, Reader<unknown>>>;
type Shape<R extends Members, O extends Members> = { readonly [K in keyof R]: Read<R[K]> } & {
  readonly [K in keyof O]?: Read<O[K]>;
};

/** An object: what it must have, and what it may have. Anything else in it is left out. */
export function shape<R extends Members, O extends Members = Record<never, never>>(
  required: R,
  optional?: O,
): Reader<Shape<R, O>> {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(path, 'an object');
    const members = new Map<string, unknown>(Object.entries(value));
    const read: [string, unknown][] = Object.entries(required).map(([key, member]) => [
      key,
      member(members.get(key), `${path}/${key}`),
    ]);
    for (const [key, member] of Object.entries(optional ?? {})) {
      if (members.has(key)) read.push([key, member(members.get(key), `${path}/${key}`)]);
    }
    return Object.fromEntries(read) as Shape<R, O>; // built member by member from the readers above
  };
}

type Verdict<M extends Readonly<Record<string, Members>>> = {
  [S in keyof M & string]: { readonly status: S } & { readonly [K in keyof M[S]]: Read<M[S][K]> };
}[keyof M & string];

/** An answer with a `status`, and what comes with each. */
export function verdict<const M extends Readonly<Record<string, Members>>>(answers: M): Reader<Verdict<M>> {
  return (value, path) => {
    const { status } = shape({ status: text })(value, path);
    const members = Object.hasOwn(answers, status) ? answers[status] : undefined;
    if (members === undefined) return wrong(`${path}/status`, Object.keys(answers).join(' or '));
    return { status, ...shape(members)(value, path) } as Verdict<M>; // the status was just found among the answers
  };
}
