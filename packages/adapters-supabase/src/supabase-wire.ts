import {
  fromHex,
  isMedzenError,
  MedzenError,
  toHex,
  type Wire,
  type WireCell,
  type WireRow,
  type WireValue,
} from '@medzen/core';
import { callDeadline, checkedSchema, manifest, type SqlFunction } from '@medzen/sql';
import type { SupabaseAnswer, SupabaseClientLike } from './supabase-client.ts';
import { fromPostgrest } from './supabase-error.ts';

/** How the wire calls. */
export interface SupabaseWireOptions {
  /** Name of the schema, which PostgREST must expose; `medzen` when absent. */
  readonly schema?: string;
  /** Functions of the schema besides the library's own, with what they give: a host's, or a contract suite's. */
  readonly functions?: Readonly<Record<string, SqlFunction>>;
  /** Milliseconds a call may take, 1–2 147 483 647; 10 000 when absent. */
  readonly deadlineMs?: number;
}

/**
 * The wire over supabase-js 2. Each call is one request to PostgREST, which runs it in a transaction of its own: there is no
 * transaction of the host to take part in, so an event never waits for a commit.
 *
 * A call that is late has its request aborted; PostgREST goes on with the statement, so that it may still commit. Calls share PostgREST's pool
 * (`db-pool`), and hold no connection between them.
 *
 * Answers that PostgREST cut short (`db-max-rows`, on Supabase "Max rows") are refused, because a part of the log looks like all of it.
 *
 * @param client - made with a key of `service_role`, which must stay on the server
 * @param options - name of the schema
 * @throws MedzenError `invalid_configuration` when the name of the schema is none
 * @see https://docs.postgrest.org/en/v14/references/api/functions.html
 * @example
 * ```ts
 * import { supabaseWire } from '@medzen/adapters-supabase';
 * import { checkSql } from '@medzen/sql';
 * import { createClient } from '@supabase/supabase-js';
 * const client = createClient('https://clinic.supabase.co', '<service role key>', { auth: { persistSession: false } });
 * await checkSql(supabaseWire(client)); // throws unless the migrations are there
 * ```
 */
export function supabaseWire(client: SupabaseClientLike, options: SupabaseWireOptions = {}): Wire {
  const schema = checkedSchema(options.schema ?? 'medzen');
  const within = callDeadline(options.deadlineMs);
  const untyped = client as UntypedClient; // its types may know the host's schemas only; the names here are of the manifest
  const wire: Wire = {
    async call(name, args, call) {
      const known = knownFunction(name, options.functions);
      const body = bodyOf(name, known, args);
      // The rows that were cut off are noticed by their number; a single value is never cut.
      const counted = typeof known.returns === 'string' ? {} : { count: 'exact' as const };
      let answer: SupabaseAnswer;
      try {
        answer = await within(call, async (signal) => {
          const request = untyped.schema(schema).rpc(name, body, counted);
          return request.abortSignal === undefined ? request : request.abortSignal(signal);
        });
      } catch (error) {
        if (isMedzenError(error)) throw error;
        throw fromPostgrest({ error, status: 0 }, name); // a client that was told to throw
      }
      if (answer.error !== null && answer.error !== undefined) throw fromPostgrest(answer, name);
      return rowsOf(name, known, answer);
    },
    get root() {
      return wire;
    },
    inTransaction: false,
  };
  return wire;
}

interface UntypedClient {
  schema(name: string): {
    rpc(fn: string, args: Record<string, unknown>, options: { count?: 'exact' }): SupabaseRequest;
  };
}

/** Not sent before it is awaited. */
interface SupabaseRequest extends PromiseLike<SupabaseAnswer> {
  abortSignal?(signal: AbortSignal): PromiseLike<SupabaseAnswer>;
}

interface KnownFunction {
  readonly args: SqlFunction['args'];
  readonly returns: NonNullable<SqlFunction['returns']>;
}

function knownFunction(name: string, functions: SupabaseWireOptions['functions']): KnownFunction {
  const known = functions !== undefined && Object.hasOwn(functions, name) ? functions : manifest;
  const found = Object.hasOwn(known, name) ? known[name] : undefined;
  if (found === undefined) throw new MedzenError('internal', `Internal: the manifest has no function ${name}`);
  if (found.returns === undefined) throw new MedzenError('internal', `The manifest does not say what ${name} gives`);
  return { args: found.args, returns: found.returns };
}

/** The arguments under the names that the SQL function declares: PostgREST finds the function by them. */
function bodyOf(
  name: string,
  { args: types }: KnownFunction,
  args: Readonly<Record<string, WireValue>>,
): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(args)) {
    if (!Object.hasOwn(types, key) || value === undefined)
      throw new MedzenError('internal', `${name} was given an argument that it does not have, or one without a value`);
    body[`p_${key}`] = toJson(value);
  }
  return body;
}

/** Postgres reads each from JSON as it would from text: numbers beyond 2⁵³, instants and bytes are strings already. */
function toJson(value: WireValue): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return `\\x${toHex(value)}`;
  return 'json' in value ? value.json : value.map((item) => (typeof item === 'string' ? item : `\\x${toHex(item)}`));
}

function rowsOf(name: string, { returns }: KnownFunction, { data, count, status }: SupabaseAnswer): readonly WireRow[] {
  // supabase-js takes some answers that are no success (an empty 404 of a gateway) for one without content.
  if (status !== 200 && status !== 206) throw fromPostgrest({ error: undefined, status: 0 }, name);
  if (typeof returns === 'string') return [{ result: cellOf(returns, data as WireCell) }]; // JSON, parsed
  if (!Array.isArray(data)) throw new MedzenError('internal', `The answer to ${name} is no list of rows`);
  if (count !== data.length)
    throw new MedzenError(
      'invalid_configuration',
      `PostgREST did not give all rows of ${name}; raise db-max-rows (on Supabase "Max rows" in the settings of the Data API)`,
    );
  const columns = Object.entries(returns);
  return data.map((row: Readonly<Record<string, WireCell>>) =>
    Object.fromEntries(columns.map(([column, type]) => [column, cellOf(type, row[column] ?? null)])),
  );
}

function cellOf(type: string, cell: WireCell): WireCell {
  if (type !== 'bytea' || cell === null) return cell;
  if (typeof cell !== 'string' || !cell.startsWith('\\x'))
    throw new MedzenError('internal', 'Bytes came back in another form than hex');
  return fromHex(cell.slice(2));
}
