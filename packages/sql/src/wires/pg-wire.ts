import { MedzenError, type Wire, type WireRow, type WireValue } from '@medzen/core';
import { columnParser } from '../column-parsers.ts';
import type { SqlFunction } from '../migration.ts';
import { checkedSchema } from '../schema-name.ts';
import { fromSqlError, sqlstateOf } from '../sqlstate.ts';
import { isJsonValue, type StatementStyle, statementOf } from '../statement.ts';
import { callDeadline } from './call-deadline.ts';
import { isPool, type PgClient, type PgQuery } from './pg-client.ts';
import { busy, type OnConnection, onClient, onPool, withReserve } from './pg-connections.ts';

export type { PgClient, PgQuery } from './pg-client.ts';

/** Options of the wire. */
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
  /** Milliseconds a call may take, waiting for a connection included, 1–2 147 483 647; 10 000 when absent. */
  readonly deadlineMs?: number;
  /**
   * Connections that the root opens beside a Pool while all of the pool's are taken, 0–100; 2 when absent. They are made from the pool's own options
   * when first needed, and closed after 5 s without work. With 0, and no `rootPool`, the root waits for the pool.
   */
  readonly rootConnections?: number;
  /** A pool of the host's for those connections, in place of one that the wire opens. */
  readonly rootPool?: PgClient;
}

/**
 * The wire over `pg`.
 *
 * Given a Pool, each call takes a connection of it. Calls of the `root` (events of reads, denials and failures) take one of the reserve
 * while the pool has none free, so that as many transactions as the pool has connections can each wait for one. A call that is
 * late is canceled, and its connection is closed. Make one wire a pool: each has a reserve of its own.
 *
 * Given a Client, it looks at each call whether the host has a transaction open on it: calls then take part in it, and the
 * `root` throws `wire_busy` unless one was given, because that connection has nothing outside the transaction. A call that is late is
 * canceled, which fails the transaction; where the server does not answer at all, the connection stays the host's to close.
 *
 * @param client - Pool, Client, or the client inside `BEGIN` (with `root`)
 * @throws MedzenError `invalid_configuration` naming the option
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
  const { root, prepare = false, rootPool, rootConnections = 2 } = options;
  const style: StatementStyle = {
    schema: checkedSchema(options.schema ?? 'medzen'),
    functions: options.functions,
    cast: (place, type) => `${place}::${type}`,
  };
  if (!Number.isInteger(rootConnections) || rootConnections < 0 || rootConnections > 100)
    throw new MedzenError('invalid_configuration', 'rootConnections must be a whole number from 0 to 100');
  const within = callDeadline(options.deadlineMs);
  const inTransaction = (): boolean => {
    const status = client.getTransactionStatus?.() ?? undefined;
    return status === undefined ? root !== undefined : status !== 'I';
  };
  // Wires of the pool's transactions share it with the pool's, whose connections know the same names.
  const statements = (root === undefined ? undefined : generations.get(root)) ?? { generation: 0 };

  const callOn =
    (connection: OnConnection): Wire['call'] =>
    async (name, args, call) => {
      const { text, values, key } = statementOf(name, args, style);
      const query = (): PgQuery => ({
        text,
        values: values.map(toDriver),
        types: { getTypeParser: columnParser },
        ...(prepare ? { name: `${statements.generation}.${key}`.slice(0, 63) } : {}),
      });
      const ask = (signal: AbortSignal): Promise<{ rows: unknown[] }> =>
        connection(signal, (one) => one.query(query()));
      try {
        const { rows } = await within(call, async (signal) => {
          const named = statements.generation;
          try {
            return await ask(signal);
          } catch (error) {
            // A migration has changed what the function gives: the plan is made anew. Not in a transaction, which has failed by now.
            if (!prepare || !stalePlan(error)) throw error;
            if (statements.generation === named) statements.generation++;
            if (inTransaction()) throw error;
            return await ask(signal);
          }
        });
        return rows as readonly WireRow[]; // what getTypeParser made of the columns
      } catch (error) {
        throw fromSqlError(error, name);
      }
    };

  if (isPool(client)) {
    const rooted: Wire = {
      call: callOn(withReserve(client, { connections: rootConnections, ...(rootPool && { pool: rootPool }) })),
      get root() {
        return rooted;
      },
      inTransaction: false,
    };
    const reserve = rootPool === undefined && rootConnections === 0 ? 'shared' : 'own';
    const pooled: Wire = { call: callOn(onPool(client)), root: rooted, inTransaction: false, reserve };
    for (const one of [pooled, rooted]) generations.set(one, statements);
    return pooled;
  }

  const call = callOn(onClient(client));
  const demandIdle = (): void => {
    if (inTransaction()) throw busy();
  };
  const guarded: Wire = {
    call: async (name, args, given) => {
      demandIdle();
      const rows = await call(name, args, given);
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
      return root?.root ?? (client.getTransactionStatus === undefined ? wire : guarded);
    },
    get inTransaction() {
      return inTransaction();
    },
  };
  return wire;
}

/** Generations of statement names by root: a plan that no longer fits is never asked for again under its name. */
const generations = new WeakMap<Wire, { generation: number }>();

/** True when a prepared statement no longer matches its target, or no longer exists. */
function stalePlan(error: unknown): boolean {
  const state = sqlstateOf(error);
  return state === '0A000' || state === '26000';
}

/** Arrays and bytes the driver writes itself. */
function toDriver(value: WireValue): unknown {
  return isJsonValue(value) ? JSON.stringify(value.json) : value;
}
