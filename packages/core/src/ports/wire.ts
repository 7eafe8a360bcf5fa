import type { Json } from '../canonical-json.ts';

/**
 * An argument of a SQL function. Instants travel as RFC 3339 text, 64-bit integers as decimal text, bytes as
 * `Uint8Array` (which each wire writes in the way its driver needs).
 */
export type WireValue =
  | null
  | string
  | number
  | boolean
  | Uint8Array
  | readonly string[]
  | readonly Uint8Array[]
  | { readonly json: Json };

/** A value that comes back in one column. 64-bit integers and instants come as text. */
export type WireCell = null | string | number | boolean | Uint8Array | Json;

/** One row. A function that returns a single `jsonb` gives one row with the one column `result`. */
export type WireRow = Readonly<Record<string, WireCell>>;

/** Options of one call. */
export interface WireCallOptions {
  /** Ends the call early: the statement is canceled where the driver can, and the call throws `store_unavailable`. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that this call may take where the wire's deadline is shorter, 1–2 147 483 647: for work that grows with what is there. */
  readonly patienceMs?: number | undefined;
}

/**
 * Calls functions in Postgres. A wire knows nothing of stores: it names a function of the schema and its arguments, and
 * gives rows back. Errors of SQLSTATE class `MZ` become `MedzenError`s of the code they stand for; a lost connection, a
 * time-out and a serialisation failure become `store_unavailable` (retryable).
 *
 * Each call has a deadline, 10 s unless the wire was told otherwise. A call that is late, or whose signal was aborted, throws
 * `store_unavailable`, and its outcome is unknown: what it was to write may be there, or may yet come. Called again with the same ids it
 * changes nothing twice. Its connection never serves another call in the middle of the late one.
 */
export interface Wire {
  /**
   * Calls `schema.name(arguments)`.
   *
   * @param name - a function of the manifest, without the schema
   * @param args - by argument name, without the `p_` prefix; an argument left out takes its SQL default
   * @param options - a signal that ends the call, and how long it may take where that is longer
   * @throws MedzenError as above
   */
  call(name: string, args: Readonly<Record<string, WireValue>>, options?: WireCallOptions): Promise<readonly WireRow[]>;

  /**
   * The wire outside any transaction. Where the driver allows, its calls never wait for a pool whose connections are all in transactions
   * of the host: it has connections of its own.
   * On a driver with one connection its `call` throws `wire_busy` while that transaction is open, instead of hanging.
   */
  readonly root: Wire;

  /** True when calls take part in a transaction that your application commits or rolls back. */
  readonly inTransaction: boolean;

  /**
   * The connections that calls of the root use: `own`, beside those that transactions of your application may take;
   * `shared`, from the same pool, so that they may have to wait for its transactions. Absent where no transaction of
   * your application can take them: one connection, or requests.
   */
  readonly reserve?: 'own' | 'shared';
}
