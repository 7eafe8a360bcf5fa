import { fromHex, MedzenError, toHex, type Wire, type WireRow, type WireValue } from '@medzen/core';
import type { SqlFunction } from './migration.ts';
import { checkedSchema } from './schema-name.ts';
import { fromSqlError } from './sqlstate.ts';
import { isJsonValue, type StatementStyle, statementOf } from './statement.ts';

/** What the wire asks of PGlite: the database, or the transaction that it hands to a callback. */
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
}

/**
 * The wire over PGlite, which has one connection: while a wire made from a transaction is open, calls on the root throw
 * `wire_busy`, where waiting would wait for ever.
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
  const style: StatementStyle = {
    schema: checkedSchema(options.schema ?? 'medzen'),
    functions: options.functions,
    cast: (place, type) => `${place}::text::${type}`,
  };
  const transactions = new Set<PgliteClient>();
  options.root?.transactions.add(client);
  const wire: PgliteWire = {
    async call(name, args) {
      for (const transaction of transactions) {
        if (!transaction.closed)
          throw new MedzenError('wire_busy', 'The only connection is in a transaction of the host');
        transactions.delete(transaction);
      }
      const { text, values } = statementOf(name, args, style);
      try {
        const { rows } = await client.query(text, values.map(toText), { parsers });
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

/** Everything is sent as text and cast by the server, so that PGlite's guesses about types do not matter. */
function toText(value: WireValue): string | null {
  if (value === null || typeof value === 'string') return value;
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint8Array) return `\\x${toHex(value)}`;
  if (isJsonValue(value)) return JSON.stringify(value.json);
  return `{${value.map((item) => quoted(typeof item === 'string' ? item : `\\x${toHex(item)}`)).join(',')}}`;
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

const parsers: Record<number, (text: string) => unknown> = {
  16: (text) => text === 't', // bool
  17: (text) => fromHex(text.slice(2)), // bytea, in hex format
  23: Number, // int4
  25: (text) => text,
  3802: (text) => JSON.parse(text), // jsonb
};
