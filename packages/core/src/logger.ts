/**
 * Where a library reports what an operator should know. Structural, so that pino, winston and `console` fit with a line of
 * glue. Fields are counts, durations, codes and ids of Medzen's own rows: never PHI, never a token, never a query string.
 */
export interface Logger {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What may stand beside a message. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Says nothing: the default everywhere. */
export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };
