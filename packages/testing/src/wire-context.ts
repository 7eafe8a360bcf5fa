import type { ErrorCode, Wire } from '@medzen/core';

/** A transaction of the host, with a wire that takes part in it. */
export interface WireTransaction {
  readonly wire: Wire;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/**
 * What a wire's author makes for each case: a wire to a database in whose schema the functions of {@link wireEchoSql} exist,
 * and which knows their argument types from {@link wireEchoFunctions}.
 *
 * Capabilities: `host-transaction` (then `transaction` is given), and with it one of `concurrency` (the root wire has a connection of
 * its own while a transaction is open) and `one-connection` (its `call` must throw `wire_busy` then). `deadline` (then `impatient` is given): a call that the server does not answer in time ends
 * by itself; `cancel`: the server then stops what it does. `reserve` (then `crowd` is given): the root never waits for a pool that is full of
 * transactions.
 */
export interface WireContext {
  /** Outside any transaction. */
  readonly wire: Wire;
  /** The SQLSTATE of class `MZ` that stands for a code; undefined for codes that SQL never raises. */
  sqlstateOf(code: ErrorCode): string | undefined;
  transaction?(): Promise<WireTransaction>;
  /** A wire beside `wire` whose calls have a deadline of 50 to 200 ms. */
  impatient?(): Wire;
  /** Opens transactions until the pool of `wire` has no connection left. At least two. */
  crowd?(): Promise<readonly WireTransaction[]>;
  /** Called by the runner after the case. */
  dispose?(): Promise<void>;
}

/** One test function, as a manifest would list it. */
export interface WireEchoFunction {
  readonly name: string;
  /** Argument names (with the `p_` prefix) and SQL types, in order. */
  readonly args: readonly { readonly name: string; readonly type: string; readonly default?: string }[];
  /** `jsonb`: one row with the column `result`. Otherwise the columns of its rows. */
  readonly returns: 'jsonb' | readonly { readonly name: string; readonly type: string }[];
}

const value = (type: string): readonly { readonly name: string; readonly type: string }[] => [{ name: 'value', type }];
const one = (type: string): readonly { readonly name: string; readonly type: string }[] => [{ name: 'p_value', type }];

/** The test functions that {@link wireEchoSql} creates: what a wire's manifest must be extended by. */
export const wireEchoFunctions: readonly WireEchoFunction[] = [
  { name: 'contract_text', args: one('text'), returns: value('text') },
  { name: 'contract_int4', args: one('int4'), returns: value('int4') },
  { name: 'contract_bool', args: one('bool'), returns: value('bool') },
  { name: 'contract_bigint', args: one('bigint'), returns: value('text') },
  { name: 'contract_instant', args: one('timestamptz'), returns: value('text') },
  { name: 'contract_bytes', args: one('bytea'), returns: value('bytea') },
  { name: 'contract_json', args: one('jsonb'), returns: 'jsonb' },
  { name: 'contract_text_array', args: one('text[]'), returns: value('text') },
  { name: 'contract_bytes_array', args: one('bytea[]'), returns: value('bytea') },
  {
    name: 'contract_default',
    args: [
      { name: 'p_first', type: 'text', default: "'first by default'" },
      { name: 'p_second', type: 'text', default: "'second by default'" },
    ],
    returns: [
      { name: 'first', type: 'text' },
      { name: 'second', type: 'text' },
    ],
  },
  {
    name: 'contract_rows',
    args: [{ name: 'p_count', type: 'int4' }],
    returns: [
      { name: 'n', type: 'int4' },
      { name: 'label', type: 'text' },
    ],
  },
  { name: 'contract_raise', args: [{ name: 'p_sqlstate', type: 'text' }], returns: value('text') },
  { name: 'contract_write', args: one('text'), returns: value('text') },
  { name: 'contract_notes', args: [], returns: value('text') },
  { name: 'contract_sleep', args: [{ name: 'p_seconds', type: 'int4' }], returns: value('text') },
  { name: 'contract_late_write', args: [{ name: 'p_seconds', type: 'int4' }], returns: value('text') },
  { name: 'contract_late_writers', args: [], returns: value('int4') },
];

/**
 * The SQL that creates the test functions of {@link wireEchoFunctions} and the one table they use. For tests only.
 *
 * @param schema - an identifier, quoted here
 */
export function wireEchoSql(schema: string): string {
  const s = `"${schema.replaceAll('"', '""')}"`;
  return `
create table ${s}.contract_note (n bigint generated always as identity, value text not null);
create function ${s}.contract_text(p_value text) returns table (value text) language sql as 'select p_value';
create function ${s}.contract_int4(p_value int4) returns table (value int4) language sql as 'select p_value';
create function ${s}.contract_bool(p_value bool) returns table (value bool) language sql as 'select p_value';
create function ${s}.contract_bigint(p_value bigint) returns table (value text) language sql as 'select p_value::text';
create function ${s}.contract_instant(p_value timestamptz) returns table (value text) language sql as
  $$select to_char(p_value at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')$$;
create function ${s}.contract_bytes(p_value bytea) returns table (value bytea) language sql as 'select p_value';
create function ${s}.contract_json(p_value jsonb) returns jsonb language sql as 'select p_value';
create function ${s}.contract_text_array(p_value text[]) returns table (value text) language sql as
  'select u.v from unnest(p_value) with ordinality u(v, n) order by u.n';
create function ${s}.contract_bytes_array(p_value bytea[]) returns table (value bytea) language sql as
  'select u.v from unnest(p_value) with ordinality u(v, n) order by u.n';
create function ${s}.contract_default(p_first text default 'first by default', p_second text default 'second by default')
  returns table (first text, second text) language sql as 'select p_first, p_second';
create function ${s}.contract_rows(p_count int4) returns table (n int4, label text) language sql as
  $$select g, 'row ' || g from generate_series(1, p_count) g order by g$$;
create function ${s}.contract_raise(p_sqlstate text) returns table (value text) language plpgsql as
  $$begin raise exception 'raised by the contract' using errcode = p_sqlstate; end$$;
create function ${s}.contract_write(p_value text) returns table (value text) language sql as
  'insert into ${s}.contract_note (value) values (p_value) returning value';
create function ${s}.contract_notes() returns table (value text) language sql as
  'select value from ${s}.contract_note order by n';
create function ${s}.contract_sleep(p_seconds int4) returns table (value text) language plpgsql as
  $$begin perform pg_sleep(p_seconds); return query select 'slept'; end$$;
create function ${s}.contract_late_write(p_seconds int4) returns table (value text) language plpgsql as
  $$begin perform pg_sleep(p_seconds); return query insert into ${s}.contract_note (value) values ('late') returning contract_note.value; end$$;
create function ${s}.contract_late_writers() returns table (value int4) language sql as
  $$select count(*)::int4 from pg_stat_activity a
    where a.datname = current_database() and a.state = 'active' and a.query like '%contract_late_write(%'$$;
`;
}
