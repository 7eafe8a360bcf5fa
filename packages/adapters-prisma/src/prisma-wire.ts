import { MedzenError, type Wire, type WireCell, type WireRow } from '@medzen/core';
import { callDeadline, type SqlFunction, textStatements } from '@medzen/sql';
import { fromPrismaError } from './prisma-error.ts';

/** What the wire asks of Prisma: a `PrismaClient`, one with extensions, or the client inside an interactive transaction. */
export interface PrismaLike {
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>;
  /** The client inside an interactive transaction has none: by that it is known. */
  $connect?(): Promise<void>;
}

/** How the wire calls. */
export interface PrismaWireOptions {
  /** Name of the schema; `medzen` when absent. */
  readonly schema?: string;
  /** The wire of the `PrismaClient`, given when `prisma` is the client inside an interactive transaction. */
  readonly root?: Wire;
  /** Functions of the schema besides the library's own: a host's, or a contract suite's. */
  readonly functions?: Readonly<Record<string, SqlFunction>>;
  /** Milliseconds a call may take, waiting for a connection included, 1–2 147 483 647; 10 000 when absent. */
  readonly deadlineMs?: number;
  /**
   * A second `PrismaClient` with a small pool of its own (2 connections), for the calls of the root. Without it they wait for a connection of
   * `prisma`: when as many interactive transactions as it has connections each wait for such a call, all of them run into a time-out.
   */
  readonly rootClient?: PrismaLike;
}

/**
 * The wire over Prisma 7 or 6 on Postgres, with any driver adapter. Nothing has to be in the Prisma schema for it.
 *
 * Given the client inside an interactive transaction, calls take part in it. What must be durable whatever becomes of the
 * transaction (events of reads and denials) goes by `root`, on another connection: without a `root` such a call throws
 * `invalid_configuration`. Give that root a `rootClient`, so that it never waits for transactions that wait for it.
 *
 * Prisma cannot cancel a call: a late one throws `store_unavailable`, and may still run when a connection is free.
 *
 * @param prisma - the client, or the one inside an interactive transaction (with `root`)
 * @throws MedzenError `invalid_configuration` when the schema's name is not a plain one
 * @see https://www.prisma.io/docs/orm/prisma-client/queries/transactions#interactive-transactions
 * @example
 * ```ts
 * import { type PrismaLike, prismaWire } from '@medzen/adapters-prisma';
 * import { sqlStores } from '@medzen/sql';
 * type Host = PrismaLike & { $transaction<T>(work: (tx: PrismaLike) => Promise<T>): Promise<T> };
 * async function change(prisma: Host): Promise<void> {
 *   const root = prismaWire(prisma);
 *   await prisma.$transaction(async (tx) => {
 *     const inside = sqlStores(prismaWire(tx, { root })); // the host's own write and its event commit together
 *   });
 * }
 * ```
 */
export function prismaWire(prisma: PrismaLike, options: PrismaWireOptions = {}): Wire {
  const write = textStatements(options);
  const within = callDeadline(options.deadlineMs);
  const inTransaction = prisma.$connect === undefined;
  const { root, rootClient, ...others } = options;
  const reserve = rootClient === undefined ? undefined : prismaWire(rootClient, others);
  const wire: Wire = {
    async call(name, args, call) {
      const { text, values } = write(name, args);
      try {
        const rows = await within(call, async () => prisma.$queryRawUnsafe(text, ...values));
        return (rows as readonly Readonly<Record<string, unknown>>[]).map(toRow); // a query answers with rows
      } catch (error) {
        throw fromPrismaError(error, name);
      }
    },
    get root() {
      return inTransaction ? (root?.root ?? rootless) : (reserve ?? wire);
    },
    inTransaction,
    ...(inTransaction ? {} : { reserve: reserve === undefined ? 'shared' : 'own' }),
  };
  return wire;
}

/** Stands for the root that was not given. */
const rootless: Wire = {
  async call() {
    throw new MedzenError(
      'invalid_configuration',
      "Inside an interactive transaction, give prismaWire the client's own wire as `root`",
    );
  },
  get root() {
    return rootless;
  },
  inTransaction: false,
};

function toRow(row: Readonly<Record<string, unknown>>): WireRow {
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, toCell(value)]));
}

/** Prisma makes `bigint` of 64-bit integers; JSON and all else is what it should be already. */
function toCell(value: unknown): WireCell {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  return value as WireCell;
}
