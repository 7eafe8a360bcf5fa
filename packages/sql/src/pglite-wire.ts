import { MedzenError, type Wire, type WireRow } from '@medzen/core';
import { columnParsers } from './column-parsers.ts';
import type { SqlFunction } from './migration.ts';
import { fromSqlError } from './sqlstate.ts';
import { textStatements } from './text-statement.ts';
import { callDeadline } from './wires/call-deadline.ts';

/** Structural type of PGlite or its transaction. */
export interface PgliteClient {
  query(
    text: string,
    values: unknown[],
    options: { parsers: Record<number, (text: string) => unknown> },
  ): Promise<{ rows: unknown[] }>;
  /** A transaction says so once it was committed or rolled back. */
  readonly closed: boolean;
}

/** The wire of a PGlite database. It knows which transactions are open, because there is only one connection. */
export interface PgliteWire extends Wire {
  /** The transactions for which a wire was made from this one. */
  readonly transactions: Set<PgliteClient>;
}

/** How the wire calls. */
export interface PgliteWireOptions {
  /** Name of the schema; `medzen` when absent. */
  readonly schema?: string;
  /** The wire of the database, given when `client` is the transaction that `db.transaction` hands out. */
  readonly root?: PgliteWire;
  /** Functions of the schema besides the library's own: a host's, or a contract suite's. */
  readonly functions?: Readonly<Record<string, SqlFunction>>;
  /** Milliseconds a call may wait for its turn, 1–2 147 483 647; 10 000 when absent. */
  readonly deadlineMs?: number;
}

/**
 * The wire over PGlite, which has one connection: while a wire made from a transaction is open, calls on the root throw
 * `wire_busy`, where waiting would wait for ever.
 *
 * A call that waits for its turn past its deadline throws `store_unavailable`. It cannot be taken back, and runs when its turn comes. A statement
 * that runs holds up the whole process, the deadline with it.
 *
 * @param client - the database, or (with `root`) a transaction
 * @example
 * ```ts
 * import { PGlite } from '@electric-sql/pglite';
 * import { pgliteWire, sqlStores } from '@medzen/sql';
 * const db = await PGlite.create();
 * const root = pgliteWire(db);
 * await db.transaction(async (tx) => {
 *   const inside = sqlStores(pgliteWire(tx, { root }));
 * });
 * ```
 */
export function pgliteWire(client: PgliteClient, options: PgliteWireOptions = {}): PgliteWire {
  const write = textStatements(options);
  const within = callDeadline(options.deadlineMs);
  const transactions = new Set<PgliteClient>();
  options.root?.transactions.add(client);
  const wire: PgliteWire = {
    async call(name, args, call) {
      for (const transaction of transactions) {
        if (!transaction.closed)
          throw new MedzenError('wire_busy', 'The only connection is in a transaction of the host');
        transactions.delete(transaction);
      }
      const { text, values } = write(name, args);
      try {
        const { rows } = await within(call, () => client.query(text, values, { parsers: { ...columnParsers } }));
        return rows as readonly WireRow[]; // what the parsers made of the columns
      } catch (error) {
        throw fromSqlError(error, name);
      }
    },
    get root() {
      return options.root ?? wire;
    },
    inTransaction: options.root !== undefined,
    transactions,
  };
  return wire;
}
