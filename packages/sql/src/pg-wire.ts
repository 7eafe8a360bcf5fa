import { MedzenError, type Wire, type WireRow, type WireValue } from '@medzen/core';
import { columnParser } from './column-parsers.ts';
import type { SqlFunction } from './migration.ts';
import { checkedSchema } from './schema-name.ts';
import { fromSqlError } from './sqlstate.ts';
import { isJsonValue, type StatementStyle, statementOf } from './statement.ts';

/** What the wire asks of `pg`: a Pool, a Client, or a client taken from a pool. */
export interface PgClient {
  query(query: {
    text: string;
    values: unknown[];
    name?: string;
    // `pg` hands the column's type by number and its text; the answer is whatever the parser makes of it.
    types: { getTypeParser(oid: number, format?: string): (text: string) => unknown };
  }): Promise<{ rows: unknown[] }>;
  /** A Client's, since pg 8.17: `I` idle, `T` in a transaction, `E` in one that has failed. A Pool has none. */
  getTransactionStatus?(): string | null;
}

/** How the wire calls. */
export interface PgWireOptions {
  /** Name of the schema; `medzen` when absent. */
  readonly schema?: string;
  /** The wire of the pool, given when `client` is the one of a transaction of the host. */
  readonly root?: Wire;
  /** Functions of the schema besides the library's own: a host's, or a contract suite's. */
  readonly functions?: Readonly<Record<string, SqlFunction>>;
  /**
   * Lets the server keep the statements' plans, a named statement a function. Not behind a pooler that changes the server's
   * connection between transactions, unless it understands prepared statements (PgBouncer ≥ 1.21 does when told).
   */
  readonly prepare?: boolean;
}

/**
 * The wire over `pg`.
 *
 * Given a Client, it looks at each call whether the host has a transaction open on it: calls then take part in it, and the
 * `root` throws `wire_busy` unless one was given, because that connection has nothing outside the transaction.
 *
 * @param client - Pool, Client, or the client inside `BEGIN` (with `root`)
 * @example
 * ```ts
 * import { pgWire, sqlStores } from '@medzen/sql';
 * import pg from 'pg';
 * const pool = new pg.Pool();
 * const root = pgWire(pool);
 * const client = await pool.connect();
 * await client.query('BEGIN');
 * const inside = sqlStores(pgWire(client, { root })); // the host's own write and its event commit together
 * await client.query('COMMIT');
 * client.release();
 * ```
 */
export function pgWire(client: PgClient, options: PgWireOptions = {}): Wire {
  const style: StatementStyle = {
    schema: checkedSchema(options.schema ?? 'medzen'),
    functions: options.functions,
    cast: (place, type) => `${place}::${type}`,
  };
  const inTransaction = (): boolean => {
    const status = client.getTransactionStatus?.() ?? undefined;
    return status === undefined ? options.root !== undefined : status !== 'I';
  };
  // A Client does one thing at a time, and from pg 9 on no longer queues what comes meanwhile. A Pool has a connection for each.
  let turn: Promise<unknown> = Promise.resolve();
  const query: PgClient['query'] = (config) => {
    if (client.getTransactionStatus === undefined) return client.query(config);
    const answer = turn.then(() => client.query(config));
    turn = answer.catch(() => undefined);
    return answer;
  };
  const call: Wire['call'] = async (name, args) => {
    const { text, values, key } = statementOf(name, args, style);
    const prepared = options.prepare === true ? { name: key.slice(0, 63) } : {};
    try {
      const { rows } = await query({
        text,
        values: values.map(toDriver),
        types: { getTypeParser: columnParser },
        ...prepared,
      });
      return rows as readonly WireRow[]; // what getTypeParser made of the columns
    } catch (error) {
      throw fromSqlError(error, name);
    }
  };
  const demandIdle = (): void => {
    if (inTransaction()) throw new MedzenError('wire_busy', 'The connection is in a transaction of the host');
  };
  const guarded: Wire = {
    call: async (name, args) => {
      demandIdle();
      const rows = await call(name, args);
      demandIdle(); // a BEGIN that was on its way has taken the call in: nobody may believe that it is durable
      return rows;
    },
    get root() {
      return guarded;
    },
    inTransaction: false,
  };
  const wire: Wire = {
    call,
    get root() {
      return options.root ?? (client.getTransactionStatus === undefined ? wire : guarded);
    },
    get inTransaction() {
      return inTransaction();
    },
  };
  return wire;
}

/** Arrays and bytes the driver writes itself. */
function toDriver(value: WireValue): unknown {
  return isJsonValue(value) ? JSON.stringify(value.json) : value;
}
