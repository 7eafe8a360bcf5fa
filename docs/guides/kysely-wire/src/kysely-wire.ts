import type { Wire, WireCell, WireRow } from '@medzen/core';
import { callDeadline, fromSqlError, type SqlFunction, textStatements } from '@medzen/sql';
import { CompiledQuery, type QueryResult } from 'kysely';

/** What the wire asks of Kysely: the two members that it uses, so that a host's own tables do not get in the way of the types. */
export interface KyselyLike {
  executeQuery<R>(query: CompiledQuery<R>): Promise<QueryResult<R>>;
  readonly isTransaction: boolean;
}

/** How the wire calls. */
export interface KyselyWireOptions {
  /** Name of the schema; `medzen` when absent. */
  readonly schema?: string;
  /** The wire of the database, given when `db` is a transaction. */
  readonly root?: Wire;
  /** Functions of the schema besides the library's own: those of the contract suite. */
  readonly functions?: Readonly<Record<string, SqlFunction>>;
  /** Milliseconds a call may take; 10 000 when absent. */
  readonly deadlineMs?: number;
}

/**
 * The wire over Kysely's Postgres dialect and `pg`.
 *
 * @param db - the database, or (with `root`) the transaction that `db.transaction()` hands out
 */
export function kyselyWire(db: KyselyLike, options: KyselyWireOptions = {}): Wire {
  const write = textStatements(options); // every value goes as text, and the server casts it
  const within = callDeadline(options.deadlineMs); // Kysely cannot cancel: a late call may still run
  const wire: Wire = {
    async call(name, args, call) {
      const { text, values } = write(name, args);
      try {
        const query = CompiledQuery.raw(text, values);
        const { rows } = await within(call, () => db.executeQuery<Record<string, WireCell>>(query));
        return rows.map(plainBytes);
      } catch (error) {
        throw fromSqlError(error, name); // the one place that reads SQLSTATEs
      }
    },
    get root() {
      return options.root?.root ?? wire;
    },
    inTransaction: db.isTransaction,
  };
  return wire;
}

/** `pg` answers bytea with a Buffer; a Uint8Array of its own is what the contract asks for. */
function plainBytes(row: WireRow): WireRow {
  return Object.fromEntries(
    Object.entries(row).map(([column, cell]) => [column, cell instanceof Uint8Array ? Uint8Array.from(cell) : cell]),
  );
}
