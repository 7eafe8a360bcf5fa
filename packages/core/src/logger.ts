/**
 * Where a library reports what an operator should know. Structural, so that pino, winston and `console` fit with a line of
 * glue. Fields are counts, durations, codes and ids of Medzen's own rows: never PHI, never a token, never a query string.
 */
export interface Logger {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Structured fields of a log message. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Says nothing. */
export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };

const line = (level: string, message: string, fields: LogFields = {}): string =>
  JSON.stringify({ level, message: `medzen: ${message}`, ...fields });

/**
 * Writes warnings and errors to the process's standard error, one JSON object a line, and drops `info`. The default everywhere: a
 * failure that nobody is told of is found too late.
 *
 * @example
 * ```ts
 * import { stderrLogger } from '@medzen/core';
 * stderrLogger.warn('Limits are counted in memory', { route: 'POST /notes' });
 * // {"level":"warn","message":"medzen: Limits are counted in memory","route":"POST /notes"}
 * ```
 */
export const stderrLogger: Logger = {
  info: () => {},
  // Node, Deno, Bun and workerd write both to standard error, or to where a function's errors are kept.
  // biome-ignore lint/suspicious/noConsole: the one place that every runtime has
  warn: (message, fields) => console.warn(line('warn', message, fields)),
  // biome-ignore lint/suspicious/noConsole: as above
  error: (message, fields) => console.error(line('error', message, fields)),
};
