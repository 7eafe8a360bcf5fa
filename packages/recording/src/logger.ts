/**
 * Where the package reports what no caller waits for: a provider copy that could not be removed, a row set aside. Structural, so
 * that `console`, pino (with its arguments turned round) and others fit. Fields carry ids, codes and counts; never PHI, URLs or tokens.
 */
export interface Logger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Says nothing. The default. */
export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };
