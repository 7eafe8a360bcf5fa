const hidden: unique symbol = Symbol('medzen.redacted');

/**
 * A string that must not reach a log, an error message or a URL by accident. It prints, serialises and concatenates as
 * `[redacted]`; only {@link reveal} gives the value, so that each place that reads it can be found by name.
 */
export interface Redacted {
  readonly [hidden]: () => string;
  toString(): '[redacted]';
  toJSON(): '[redacted]';
}

/**
 * Wraps a string of PHI or a secret.
 *
 * @param value - kept in a closure, so that inspection and structured logging do not see it either
 * @example
 * ```ts
 * import { redact, reveal } from '@medzen/core';
 * const name = redact('Ada Lovelace');
 * `${name}`; // '[redacted]'
 * reveal(name); // 'Ada Lovelace'
 * ```
 */
export function redact(value: string): Redacted {
  return Object.freeze({
    [hidden]: () => value,
    toString: () => '[redacted]' as const,
    toJSON: () => '[redacted]' as const,
    [Symbol.toPrimitive]: () => '[redacted]',
    [Symbol.for('nodejs.util.inspect.custom')]: () => '[redacted]',
  });
}

/** The value inside. The only way to read it. */
export function reveal(value: Redacted): string {
  return value[hidden]();
}
