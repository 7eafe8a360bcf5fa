import { isMedzenError, MedzenError, type Wire, type WireRow } from '@medzen/core';
import { columnParser } from './column-parsers.ts';
import type { SqlFunction } from './migration.ts';
import { fromSqlError, sqlstateOf } from './sqlstate.ts';
import { textStatements } from './text-statement.ts';
import { callDeadline } from './wires/call-deadline.ts';

/** Structural type of `neon(url)` from `@neondatabase/serverless` 1.x. */
export interface NeonClient {
  query(
    text: string,
    parameters: (string | null)[],
    options: {
      arrayMode: false;
      fullResults: false;
      fetchOptions: { signal: AbortSignal };
      // The driver types the number as one of the built-in types'; the answer is whatever the parser makes of the text.
      types: { getTypeParser(oid: number, format?: string): (text: string) => unknown };
    },
  ): PromiseLike<unknown[]>;
}

/** How the wire calls. */
export interface NeonWireOptions {
  /** Name of the schema; `medzen` when absent. */
  readonly schema?: string;
  /** Functions of the schema besides the library's own: a host's, or a contract suite's. */
  readonly functions?: Readonly<Record<string, SqlFunction>>;
  /** Milliseconds a call may take, 1–2 147 483 647; 10 000 when absent. */
  readonly deadlineMs?: number;
}

/**
 * The wire over Neon's HTTP driver. Each call is a request and a transaction of its own, so it never takes part in one of the
 * host's: where a write and its event must commit together, let the schema's triggers write the event, or use a connection.
 *
 * A call that is late has its request aborted; whether Neon then ends the statement is not known, so that it may still commit. Calls share no
 * connections, so that none waits for a transaction of the host.
 *
 * Tested with the real driver, but against a stand-in of Neon's endpoint over a plain Postgres, not against Neon.
 *
 * @param client - from `neon(url)`
 * @see https://github.com/neondatabase/serverless/blob/main/CONFIG.md
 * @example
 * ```ts
 * import { neonWire, sqlStores } from '@medzen/sql';
 * import { neon } from '@neondatabase/serverless';
 * const stores = sqlStores(neonWire(neon('postgresql://app:secret@ep-example.eu-central-1.aws.neon.tech/clinic')));
 * const { events } = await stores.audit.search({ tenant: 'default' }, { patient: 'p1' });
 * ```
 */
export function neonWire(client: NeonClient, options: NeonWireOptions = {}): Wire {
  const write = textStatements(options);
  const within = callDeadline(options.deadlineMs);
  const wire: Wire = {
    async call(name, args, call) {
      const { text, values } = write(name, args);
      try {
        const rows = await within(call, async (signal) =>
          client.query(text, values, {
            arrayMode: false,
            fullResults: false,
            fetchOptions: { signal },
            types: { getTypeParser: columnParser },
          }),
        );
        return rows as readonly WireRow[]; // what columnParser made of the columns
      } catch (error) {
        if (isMedzenError(error)) throw error;
        throw sqlstateOf(error) === undefined ? unreachable(error) : fromSqlError(error, name);
      }
    },
    get root() {
      return wire;
    },
    inTransaction: false,
  };
  return wire;
}

/** The driver's message quotes the connection string, password and all, when it cannot read it: only what `fetch` threw is handed on. */
function unreachable(error: unknown): MedzenError {
  const cause = error instanceof Error && 'sourceError' in error ? error.sourceError : undefined;
  return new MedzenError('store_unavailable', 'The database could not be reached', { cause });
}
