/**
 * Where the guard reports what the host must see and the client must not: an audit store that is down, an error thrown
 * by a handler. `console` fits. Nothing that is passed carries a token, a query string or a body.
 */
export interface GuardLogger {
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Says nothing. */
export const silentLogger: GuardLogger = { error: () => undefined, warn: () => undefined };
