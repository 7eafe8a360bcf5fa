/** What supabase-js answers: always resolved, with `error` set when the call failed. */
export interface SupabaseAnswer {
  readonly data: unknown;
  /** Of PostgREST, of Postgres through it, of a gateway in between, or of `fetch`. */
  readonly error: unknown;
  /** How many rows there are, whether or not all of them came: asked for with `count: 'exact'`. */
  readonly count: number | null;
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
}

/**
 * What the wire asks of supabase-js 2: a `SupabaseClient`, or a `PostgrestClient` of `@supabase/postgrest-js`. The parameters are
 * `never`, so that a client typed with a generated `Database`, which does not list this schema, fits as well.
 */
export interface SupabaseClientLike {
  schema(name: never): {
    rpc(fn: never, args: never, options: never): PromiseLike<SupabaseAnswer>;
  };
}
