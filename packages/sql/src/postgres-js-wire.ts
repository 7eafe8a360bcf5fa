import { isMedzenError, MedzenError, type Wire, type WireCell, type WireRow } from '@medzen/core';
import { columnParser } from './column-parsers.ts';
import type { SqlFunction } from './migration.ts';
import { fromSqlError, sqlstateOf } from './sqlstate.ts';
import { textStatements } from './text-statement.ts';
import { callDeadline } from './wires/call-deadline.ts';

/**
 * The part of postgres.js that the wire needs: the `sql` of a pool, of `sql.begin`, of `savepoint`, or of
 * `sql.reserve()`.
 */
export interface PostgresJsClient {
  unsafe(text: string, parameters: (string | null)[], options: { prepare: boolean }): { raw(): PostgresJsQuery };
  /** A pool's. */
  readonly options?: { readonly max: number };
  /** A transaction's. */
  readonly savepoint?: unknown;
  /** A reserved connection's. */
  readonly release?: unknown;
}

/** A statement under way. */
export interface PostgresJsQuery extends Promise<PostgresJsRows> {
  /**
   * Asks the server, on another connection, to end the statement; `cancel()` calls it. The wire calls it itself, because `cancel()` drops its
   * promise, and a cancel that meets a server that is gone would end the process. Without it the statement goes on until it ends.
   */
  readonly canceller?: ((query: never) => Promise<unknown>) | null;
  /** Set once it was sent. */
  readonly state?: unknown;
  /** True while it is the one whose answer its connection waits for. */
  readonly active?: boolean;
  /** Its text, which is read when it is sent. */
  readonly strings?: string[];
}

/** Rows as the server wrote them: each a list of columns in text form. */
export interface PostgresJsRows extends Iterable<readonly (Uint8Array | null)[]> {
  readonly columns: readonly { readonly name: string; readonly type: number }[];
}

/** The wire of a postgres.js pool, or of a connection of it. */
export interface PostgresJsWire extends Wire {
  /** True when the pool has one connection only (`max: 1`) and no reserve, so that nothing bypasses a transaction. */
  readonly single: boolean;
}

/** Options of the wire. */
export interface PostgresJsWireOptions {
  /** Name of the schema; `medzen` when absent. */
  readonly schema?: string;
  /** The wire of the pool, given when `sql` is the one of a transaction or of a reserved connection. */
  readonly root?: PostgresJsWire;
  /** Functions of the schema besides the library's own: a host's, or a contract suite's. */
  readonly functions?: Readonly<Record<string, SqlFunction>>;
  /** Milliseconds a call may take, waiting for a connection included, 1–2 147 483 647; 10 000 when absent. */
  readonly deadlineMs?: number;
  /**
   * A second `postgres(url, { max: 2 })`, for the calls of the root. Without it they wait for a connection of `sql`: when as many
   * transactions as it has connections each wait for such a call, all of them fail with `store_unavailable` at the deadline.
   */
  readonly rootPool?: PostgresJsClient;
}

/**
 * The wire over postgres.js 3.
 *
 * Given the `sql` of `sql.begin` or of a savepoint, calls take part in that transaction; leave the wire when it ends, as the driver
 * would send later calls into whatever its connection does by then. A reserved connection does not tell whether a transaction is
 * open on it, so it is taken to be in one. What must outlive the transaction goes by `root`, and throws `wire_busy` where none was
 * given or where the pool has `max: 1`. A `BEGIN` that was sent by hand to the pool is not seen: use `sql.begin`.
 *
 * Types and transforms that the host gave to `postgres()` (`bigint`, `postgres.camel`, …) do not reach the wire, except one of whole
 * rows (`transform.row`), with which it does not work. Statements are prepared unless `prepare: false` was given there, as behind
 * a pooler that changes the server's connection between transactions.
 *
 * A call that is late is canceled by the driver, unless it waits behind another on its connection; then it may still run. Where something accepts connections and closes them at once (a proxy without its server),
 * postgres.js 3 tries for ever, and calls wait until their deadline; where connections are refused or cut, the call throws at once. A transaction whose connection was lost
 * must not be asked again, which in postgres.js 3.4 ends the process; the wire does not, once a call of its own has met the loss.
 *
 * @param sql - pool, transaction, savepoint or reserved connection (the last three with `root`)
 * @see https://github.com/porsager/postgres
 * @example
 * ```ts
 * import { postgresJsWire, sqlStores } from '@medzen/sql';
 * import postgres from 'postgres';
 * const sql = postgres();
 * const root = postgresJsWire(sql);
 * await sql.begin(async (tx) => {
 *   const inside = sqlStores(postgresJsWire(tx, { root }));
 *   await tx`UPDATE note SET text = ${'…'} WHERE id = ${'n1'}`; // the host's own write and its event commit together
 * });
 * ```
 */
export function postgresJsWire(sql: PostgresJsClient, options: PostgresJsWireOptions = {}): PostgresJsWire {
  const write = textStatements(options);
  const within = callDeadline(options.deadlineMs);
  const { root: pool, rootPool } = options;
  const inTransaction = pool !== undefined || 'savepoint' in sql || 'release' in sql;
  const single = pool?.single ?? (sql.options?.max === 1 && rootPool === undefined);
  const reserve = rootPool === undefined ? undefined : postgresJsWire(rootPool, withoutReserve(options));
  let lost: MedzenError | undefined; // postgres.js 3 ends the whole process when a lost transaction is asked again
  const wire: PostgresJsWire = {
    async call(name, args, call) {
      if (lost !== undefined) throw lost;
      const { text, values } = write(name, args);
      try {
        return await within(call, async (signal) => {
          const query = sql.unsafe(text, values, { prepare: true }).raw();
          signal.addEventListener('abort', () => stop(query, values), { once: true });
          return rowsOf(await query);
        });
      } catch (error) {
        if (isMedzenError(error)) throw error;
        const state = sqlstateOf(error);
        const failure = fromSqlError(state === undefined ? withoutParameters(error) : error, name);
        if (inTransaction && (state === undefined || state.startsWith('57P'))) lost = failure;
        throw failure;
      }
    },
    get root() {
      if (!inTransaction) return reserve ?? wire;
      return pool === undefined || single ? busy : pool.root;
    },
    inTransaction,
    single,
    ...(inTransaction ? {} : { reserve: reserve === undefined ? 'shared' : 'own' }),
  };
  return wire;
}

/** Nothing is outside the transaction. */
const busy: Wire = {
  call: async () => {
    throw new MedzenError('wire_busy', 'The connection is in a transaction of the host');
  },
  get root() {
    return busy;
  },
  inTransaction: false,
};

/**
 * Ends a statement. One that was not sent is neither canceled nor left without its values: postgres.js 3.4 would lose the connection that it was to
 * be sent on, or fail another statement for it and then give each answer to the next one. When its turn comes, it asks for nothing. One that was sent
 * behind another on its connection is left to run: of one that is canceled there, the driver gives the answer to the next one.
 */
function stop(query: PostgresJsQuery, values: unknown[]): void {
  if (query.state === undefined || query.state === null) {
    query.strings?.splice(0, 1, 'SELECT');
    values.length = 0;
  } else if (query.active === true) query.canceller?.(query as never).catch(() => undefined); // the cancel found no server: the call was answered before it
}

function withoutReserve({ rootPool: _, root: __, ...others }: PostgresJsWireOptions): PostgresJsWireOptions {
  return others;
}

function rowsOf(result: PostgresJsRows): readonly WireRow[] {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const columns = result.columns.map(({ name, type }) => ({ name: columnName(name), parse: columnParser(type) }));
  return Array.from(result, (cells) => {
    const row: Record<string, WireCell> = {};
    columns.forEach(({ name, parse }, i) => {
      const cell = cells[i] ?? null;
      row[name] = cell === null ? null : (parse(decoder.decode(cell)) as WireCell); // what columnParser makes of columns
    });
    return row;
  });
}

/** The schema's columns are in snake case; a host's `postgres.camel`, `.pascal` or `.kebab` has rewritten them. */
function columnName(name: string): string {
  return name
    .replace(/(?<!^)[A-Z]/g, '_$&')
    .replaceAll('-', '_')
    .toLowerCase();
}

/** The driver's own errors carry the statement's parameters, and with `debug` print them. */
function withoutParameters(error: unknown): unknown {
  if (!(error instanceof Error) || !('parameters' in error)) return error;
  const bare = error instanceof TypeError ? new TypeError(error.message) : new Error(error.message);
  return Object.assign(bare, 'code' in error ? { code: error.code } : {});
}
