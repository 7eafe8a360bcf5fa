import type { ErrorCode, Json, Wire, WireCell, WireValue } from '@medzen/core';
import { at, fail, holds, present, rejects, same } from './assertions.ts';
import type { Capability, ContractCase } from './contract.ts';
import { fakeNumbers } from './fake-random.ts';
import type { WireContext } from './wire-context.ts';

type Case = ContractCase<WireContext>;

function define(
  id: string,
  title: string,
  run: (context: WireContext) => Promise<void>,
  requires: readonly Capability[] = [],
): Case {
  return { id: `wire.${id}`, title, requires, run };
}

/** What the function `contract_<type>` gives back for a value. */
async function echo(wire: Wire, type: string, value: WireValue): Promise<WireCell> {
  const rows = await wire.call(`contract_${type}`, { value });
  holds(rows.length === 1, `contract_${type} gave ${rows.length} rows`);
  const row = at(rows, 0, 'row');
  same(Object.keys(row), ['value'], 'columns');
  return row.value ?? null;
}

/** Fails unless value and type are what was sent: `'1'` is not 1. */
async function unchanged(
  wire: Wire,
  type: string,
  values: readonly (null | string | number | boolean)[],
): Promise<void> {
  for (const value of values) {
    const back = await echo(wire, type, value);
    if (back !== value) fail(`${type}: sent ${JSON.stringify(value)}, got ${JSON.stringify(back)} (${typeof back})`);
  }
}

async function column(wire: Wire, name: string, value: WireValue): Promise<readonly WireCell[]> {
  return (await wire.call(name, { value })).map((row) => row.value ?? null);
}

const awkward: readonly string[] = [
  '',
  ' ',
  'NULL',
  'null',
  '{}',
  '{"a","b"}',
  'a,b',
  '"quoted"',
  "O'Brien",
  '\\x00',
  '\\',
  'C:\\new\\table',
  'two\nlines\r\n\tand a tab',
  '$1 :name ?',
  "'; drop table medzen.audit_event; --",
  'naïve – 日本語 – 🩺',
  '\u2028\u2029\u0001\u007f',
  '2026-01-15T09:00:00.000Z',
  '1e3',
  'true',
];

const values: readonly Case[] = [
  define('text', 'carries text as it is', ({ wire }) => unchanged(wire, 'text', awkward)),

  define('text.long', 'carries a megabyte of text', async ({ wire }) => {
    const long = 'é'.repeat(500_000);
    holds((await echo(wire, 'text', long)) === long, 'long text was changed');
  }),

  define('null', 'carries null for every type', async ({ wire }) => {
    for (const type of ['text', 'int4', 'bool', 'bigint', 'instant', 'bytes'])
      holds((await echo(wire, type, null)) === null, `null as ${type}`);
    same(await wire.call('contract_json', { value: null }), [{ result: null }], 'null as jsonb');
    same(await wire.call('contract_text_array', { value: null }), [], 'null as text[]');
  }),

  define('int4', 'carries 32-bit integers as numbers', ({ wire }) =>
    unchanged(wire, 'int4', [0, 1, -1, 2_147_483_647, -2_147_483_648]),
  ),

  define('bool', 'carries booleans', ({ wire }) => unchanged(wire, 'bool', [true, false])),

  define('bigint', 'carries 64-bit integers as text, to the last digit', ({ wire }) =>
    unchanged(wire, 'bigint', ['0', '-1', '9007199254740993', '9223372036854775807', '-9223372036854775808']),
  ),

  define('instant', 'carries instants as RFC 3339 text, to the millisecond', ({ wire }) =>
    unchanged(wire, 'instant', [
      '1970-01-01T00:00:00.000Z',
      '2026-01-15T09:30:00.001Z',
      '2024-02-29T23:59:59.999Z',
      '2026-03-08T07:00:00.000Z',
      '1899-12-31T23:59:59.999Z',
      '2199-12-31T00:00:00.000Z',
    ]),
  ),

  define('bytes', 'carries bytes as bytes, none and 64 KB of them', async ({ wire }) => {
    const random = fakeNumbers(64);
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const large = Uint8Array.from({ length: 65_536 }, () => Math.floor(random() * 256));
    const view = all.subarray(100, 110);
    for (const bytes of [new Uint8Array(), Uint8Array.of(0), Uint8Array.of(0x5c, 0x78), all, large, view]) {
      const back = await echo(wire, 'bytes', bytes);
      if (!(back instanceof Uint8Array)) fail(`${bytes.length} bytes came back as ${typeof back}`);
      same(back, bytes, `${bytes.length} bytes`);
    }
  }),

  define('array.text', 'carries lists of text in order', async ({ wire }) => {
    for (const list of [[], ['one'], [''], awkward, Array.from({ length: 1000 }, (_, i) => `item ${i}`)])
      same(await column(wire, 'contract_text_array', list), list, `${list.length} texts`);
  }),

  define('array.bytes', 'carries lists of bytes in order', async ({ wire }) => {
    const lists = [
      [],
      [Uint8Array.of(1, 2, 3)],
      [new Uint8Array(), Uint8Array.of(0x22, 0x5c, 0x2c, 0x7b), new Uint8Array(65_535).fill(7)],
      Array.from({ length: 500 }, (_, i) => new Uint8Array(32).fill(i)),
    ];
    for (const list of lists)
      same(await column(wire, 'contract_bytes_array', list), list, `${list.length} byte arrays`);
  }),

  define('json', 'carries JSON of every shape', async ({ wire }) => {
    const shapes: readonly Json[] = [
      {},
      [],
      [1, 2, 3],
      ['{}', '[]', 'null'],
      'text',
      '"quoted"',
      0,
      -1.5e-7,
      true,
      { a: null, 'a b': { c: [{ d: 'naïve 🩺' }] }, "o'b": '\\ "', é: 1 },
      awkward,
    ];
    for (const json of shapes) {
      const rows = await wire.call('contract_json', { value: { json } });
      same(rows, [{ result: json }], `JSON ${JSON.stringify(json).slice(0, 40)}`);
    }
  }),
];

const calls: readonly Case[] = [
  define('rows', 'gives all rows, in order, with their columns, and none', async ({ wire }) => {
    same(await wire.call('contract_rows', { count: 0 }), [], 'no rows');
    const rows = await wire.call('contract_rows', { count: 1200 });
    const wanted = Array.from({ length: 1200 }, (_, i) => ({ n: i + 1, label: `row ${i + 1}` }));
    same(rows, wanted, 'rows');
  }),

  define('defaults', "leaves what is not given to SQL's default, by name", async ({ wire }) => {
    const both = { first: 'first by default', second: 'second by default' };
    same(await wire.call('contract_default', {}), [both], 'nothing given');
    same(await wire.call('contract_default', { second: 'b' }), [{ ...both, second: 'b' }], 'the second given');
    same(
      await wire.call('contract_default', { second: 'b', first: 'a' }),
      [{ first: 'a', second: 'b' }],
      'both, in any order',
    );
    same(await wire.call('contract_default', { first: null }), [{ ...both, first: null }], 'null is not absent');
  }),

  define('unknown', 'refuses a function and an argument that do not exist', async ({ wire }) => {
    const wrong: readonly (readonly [string, Record<string, WireValue>])[] = [
      ['contract_no_such_function', {}],
      ['contract_text', { value: 'a', other: 'b' }],
      ['contract_text"; select 1; --', { value: 'a' }],
    ];
    for (const [name, args] of wrong) {
      const answer = await wire.call(name, args).then(
        () => 'answered',
        () => 'refused',
      );
      holds(answer === 'refused', `${name} answered`);
    }
  }),

  define('at_once', 'keeps calls apart that are made at the same time', async ({ wire }) => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => echo(wire, 'text', `call ${i}`)));
    same(
      answers,
      answers.map((_, i) => `call ${i}`),
      'answers',
    );
  }),
];

/** Every code that SQL may raise. */
const codes: readonly ErrorCode[] = [
  'invalid_input',
  'not_found',
  'conflict',
  'audit_conflict',
  'invalid_transition',
  'consent_required',
  'retention_active',
  'held',
  'too_late',
  'lease_lost',
  'checkpoint_inconsistent',
  'not_available',
  'migration_missing',
  'migration_drift',
];

const errors: readonly Case[] = [
  define('error.codes', 'turns SQLSTATEs of class MZ into the codes they stand for', async ({ wire, sqlstateOf }) => {
    let raised = 0;
    for (const code of codes) {
      const sqlstate = sqlstateOf(code);
      if (sqlstate === undefined) continue;
      holds(/^MZ[0-9A-Z]{3}$/.test(sqlstate), `${code} has no SQLSTATE of class MZ`);
      await rejects(wire.call('contract_raise', { sqlstate }), code, sqlstate);
      raised++;
    }
    holds(raised >= 4, 'hardly a code has a SQLSTATE');
  }),

  define('error.passing', 'turns failures that pass into store_unavailable, to be tried again', async ({ wire }) => {
    // Serialisation, deadlock, time-out, shutdown, lost connection, too many connections, out of disk.
    for (const sqlstate of ['40001', '40P01', '57014', '57P01', '08006', '53300', '53100']) {
      const error = await rejects(wire.call('contract_raise', { sqlstate }), 'store_unavailable', sqlstate);
      holds(error.retryable, `${sqlstate} is not marked as retryable`);
    }
  }),

  define('error.bugs', 'never takes a bug or a violated constraint for something that passes', async ({ wire }) => {
    for (const sqlstate of ['23505', '23514', '42501', 'P0001', 'XX000']) {
      const error = await wire.call('contract_raise', { sqlstate }).then(
        () => fail(`${sqlstate} was swallowed`),
        (cause: unknown) => cause,
      );
      const retryable = typeof error === 'object' && error !== null && 'retryable' in error && error.retryable;
      holds(retryable !== true, `${sqlstate} is marked as retryable`);
    }
  }),

  define('error.after', 'works on after an error', async ({ wire, sqlstateOf }) => {
    for (let i = 0; i < 20; i++) {
      await rejects(
        wire.call('contract_raise', { sqlstate: sqlstateOf('conflict') ?? '40001' }),
        ['conflict', 'store_unavailable'],
        'error',
      );
      await unchanged(wire, 'text', ['still there']);
    }
  }),
];

const notes = (wire: Wire): Promise<readonly WireCell[]> => column0(wire, 'contract_notes');

const transactions: readonly Case[] = [
  define('root', 'is its own root outside a transaction', async ({ wire }) => {
    holds(!wire.inTransaction, 'it says that it is in a transaction');
    holds(!wire.root.inTransaction, 'its root says that it is in a transaction');
    await wire.root.call('contract_write', { value: 'by the root' });
    same(await notes(wire), ['by the root'], 'notes');
  }),

  define(
    'transaction.commit',
    "takes part in the host's transaction",
    async ({ wire, transaction }) => {
      const open = await present(transaction, 'transaction')();
      holds(open.wire.inTransaction, 'it does not say that it is in a transaction');
      await open.wire.call('contract_write', { value: 'inside' });
      same(await notes(open.wire), ['inside'], 'seen inside');
      await open.commit();
      same(await notes(wire), ['inside'], 'after the commit');
    },
    ['host-transaction'],
  ),

  define(
    'transaction.rollback',
    "undoes its calls with the host's transaction",
    async ({ wire, transaction }) => {
      const open = await present(transaction, 'transaction')();
      await open.wire.call('contract_write', { value: 'undone' });
      await open.rollback();
      same(await notes(wire), [], 'after the rollback');
      await wire.call('contract_write', { value: 'after' });
      same(await notes(wire), ['after'], 'it works on');
    },
    ['host-transaction'],
  ),

  define(
    'transaction.root',
    'reaches past the transaction by its root',
    async ({ wire, transaction }) => {
      const open = await present(transaction, 'transaction')();
      holds(!open.wire.root.inTransaction, 'the root says that it is in the transaction');
      await open.wire.call('contract_write', { value: 'inside' });
      await open.wire.root.call('contract_write', { value: 'outside' });
      same(await notes(wire), ['outside'], 'durable while the transaction is open');
      await open.rollback();
      same(await notes(wire), ['outside'], 'kept after the rollback');
    },
    ['host-transaction', 'concurrency'],
  ),

  define(
    'transaction.busy',
    'answers wire_busy on the only connection instead of hanging, and works when the transaction is over',
    async ({ wire, transaction }) => {
      const open = await present(transaction, 'transaction')();
      await open.wire.call('contract_write', { value: 'inside' });
      const error = await rejects(open.wire.root.call('contract_notes', {}), 'wire_busy', 'the root');
      holds(error.retryable, 'wire_busy is not marked as retryable');
      await open.wire.call('contract_write', { value: 'still inside' });
      await open.commit();
      same(await notes(open.wire.root), ['inside', 'still inside'], 'the root after the commit');
      same(await notes(wire), ['inside', 'still inside'], 'the wire after the commit');
    },
    ['host-transaction', 'one-connection'],
  ),
];

/** Longer than any deadline here; a wire that has none answers after it, and fails. */
const seconds = 3;

const deadlines: readonly Case[] = [
  define(
    'deadline.late',
    'answers store_unavailable when the server takes longer than the deadline, and works on',
    async ({ wire, impatient }) => {
      const late = present(impatient, 'impatient')();
      const errors = await Promise.all(
        [late.call('contract_sleep', { seconds }), late.root.call('contract_sleep', { seconds })].map((call) =>
          rejects(call, 'store_unavailable', 'a late call'),
        ),
      );
      holds(
        errors.every(({ retryable }) => retryable),
        'a late call is not marked as retryable',
      );
      for (let i = 0; i < 20; i++) await unchanged(wire, 'text', [`call ${i} after`]);
    },
    ['deadline'],
  ),

  define(
    'deadline.cancel',
    'ends on the server what was late, so that nothing of it comes later',
    async ({ wire, impatient }) => {
      const late = present(impatient, 'impatient')();
      await rejects(late.call('contract_late_write', { seconds }), 'store_unavailable', 'a late call');
      const working = async (): Promise<WireCell> => at(await column0(wire, 'contract_late_writers'), 0, 'count');
      while ((await working()) !== 0);
      same(await notes(wire), [], 'notes');
    },
    ['cancel'],
  ),

  define(
    'deadline.signal',
    'ends a call whose signal is aborted, and does not begin one whose signal is',
    async ({ wire }) => {
      const controller = new AbortController();
      const call = wire.call('contract_sleep', { seconds }, { signal: controller.signal });
      controller.abort(new Error('the client went away'));
      const error = await rejects(call, 'store_unavailable', 'an aborted call');
      holds(error.retryable, 'an aborted call is not marked as retryable');
      for (const one of [wire, wire.root]) {
        const never = one.call('contract_write', { value: 'written' }, { signal: AbortSignal.abort() });
        await rejects(never, 'store_unavailable', 'a call with an aborted signal');
      }
      same(await notes(wire), [], 'notes');
    },
    ['deadline'],
  ),

  define(
    'deadline.patience',
    'waits longer than its deadline for a call that asks for patience',
    async ({ impatient }) => {
      const hasty = present(impatient, 'impatient')();
      const slept = [hasty, hasty.root].map((wire) =>
        wire.call('contract_sleep', { seconds: 1 }, { patienceMs: 600_000 }),
      );
      for (const rows of await Promise.all(slept)) same(rows, [{ value: 'slept' }], 'rows');
    },
    ['deadline'],
  ),

  define(
    'root.reserve',
    'does not wait, by its root, for a pool that is full of transactions',
    async ({ wire, crowd }) => {
      const open = await present(crowd, 'crowd')();
      try {
        holds(open.length >= 2, 'hardly a transaction is open');
        const calls = open.map((one, i) => one.wire.root.call('contract_write', { value: `root ${i}` }));
        await Promise.all(calls);
        await wire.root.call('contract_write', { value: 'root' });
      } finally {
        await Promise.all(open.map(({ commit }) => commit()));
      }
      same((await notes(wire)).length, open.length + 1, 'notes');
    },
    ['reserve'],
  ),
];

async function column0(wire: Wire, name: string): Promise<readonly WireCell[]> {
  return (await wire.call(name, {})).map((row) => row.value ?? null);
}

/** What every `Wire` must do. */
export const wireCases: readonly ContractCase<WireContext>[] = [
  ...values,
  ...calls,
  ...errors,
  ...transactions,
  ...deadlines,
];
