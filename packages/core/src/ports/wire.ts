import type { Json } from '../canonical-json.ts';

/**
 * What a wire carries to a SQL function. Instants travel as RFC 3339 text, 64-bit integers as decimal text, bytes as
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

/** What comes back in one column. 64-bit integers and instants come as text. */
export type WireCell = null | string | number | boolean | Uint8Array | Json;

/** One row. A function that returns a single `jsonb` gives one row with the one column `result`. */
export type WireRow = Readonly<Record<string, WireCell>>;

/**
 * How a call reaches Postgres. A wire knows nothing of stores: it names a function of the schema and its arguments, and gives rows back.
 * Errors of SQLSTATE class `MZ` become `MedzenError`s of the code they stand for; a lost connection, a time-out and a
 * serialisation failure become `store_unavailable` (retryable).
 */
export interface Wire {
  /**
   * Calls `schema.name(arguments)`.
   *
   * @param name - a function of the manifest, without the schema
   * @param args - by argument name, without the `p_` prefix; an argument left out takes its SQL default
   * @throws MedzenError as above
   */
  call(name: string, args: Readonly<Record<string, WireValue>>): Promise<readonly WireRow[]>;

  /**
   * The wire outside any transaction: itself, unless this one was made from a transaction of the host.
   * On a driver with one connection its `call` throws `wire_busy` while that transaction is open, instead of hanging.
   */
  readonly root: Wire;

  /** Whether calls take part in a transaction that the host will commit or roll back. */
  readonly inTransaction: boolean;
}
