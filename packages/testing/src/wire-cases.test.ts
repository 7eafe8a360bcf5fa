import { type ErrorCode, MedzenError, type Wire, type WireCell, type WireRow, type WireValue } from '@medzen/core';
import { describe, expect, test } from 'vitest';
import { brokenWires } from './broken/broken-wires.ts';
import { registerBroken } from './broken-store.ts';
import { registerCases } from './run-contract.ts';
import { wireCases } from './wire-cases.ts';
import { type WireContext, wireEchoFunctions, wireEchoSql } from './wire-context.ts';

/**
 * The echo functions without a database, so that the suite can be tried here: what SQL would do with each value is
 * written down once more. The wires of `@medzen/sql` are put to the same suite over real databases.
 */
interface World {
  notes: string[];
  open: boolean;
}

const codes: Readonly<Record<string, ErrorCode>> = {
  MZ001: 'invalid_input',
  MZ006: 'not_found',
  MZ009: 'conflict',
  MZ010: 'audit_conflict',
  MZ014: 'held',
};
const passing = ['40001', '40P01', '57014', '57P01', '08006', '53300', '53100'];

function answer(
  world: { notes: string[] },
  name: string,
  args: Readonly<Record<string, WireValue>>,
): readonly WireRow[] {
  const known = wireEchoFunctions.find((one) => one.name === name);
  const names = known?.args.map((arg) => arg.name.slice(2));
  if (known === undefined || Object.keys(args).some((key) => names?.includes(key) !== true))
    throw new MedzenError('internal', 'No such function or argument');
  const { value = null } = args;
  const rows = (list: readonly WireCell[]): readonly WireRow[] => list.map((cell) => ({ value: cell }));
  switch (name) {
    case 'contract_json':
      return [{ result: value !== null && typeof value === 'object' && 'json' in value ? value.json : null }];
    case 'contract_text_array':
    case 'contract_bytes_array':
      return rows(Array.isArray(value) ? value : []);
    case 'contract_default': {
      const { first = 'first by default', second = 'second by default' } = args;
      return [
        {
          first: String(first) === 'null' ? null : String(first),
          second: String(second) === 'null' ? null : String(second),
        },
      ];
    }
    case 'contract_rows':
      return Array.from({ length: Number(args.count) }, (_, i) => ({ n: i + 1, label: `row ${i + 1}` }));
    case 'contract_raise': {
      const state = String(args.sqlstate);
      throw new MedzenError(codes[state] ?? (passing.includes(state) ? 'store_unavailable' : 'internal'), 'Raised');
    }
    case 'contract_write':
      world.notes.push(String(value));
      return rows([String(value)]);
    case 'contract_notes':
      return rows(world.notes);
    case 'contract_late_writers':
      return rows([0]);
    default:
      return rows([value as WireCell]); // the scalar functions give back what they got
  }
}

function createContext(oneConnection: boolean): WireContext {
  const world: World = { notes: [], open: false };
  const late = (): MedzenError => new MedzenError('store_unavailable', 'Late');
  const outside = (patient: boolean): Wire => {
    const wire: Wire = {
      call: async (name, args, { signal, patienceMs } = {}) => {
        if (oneConnection && world.open) throw new MedzenError('wire_busy', 'In a transaction');
        if (signal?.aborted === true) throw late();
        if (patienceMs !== undefined && name === 'contract_sleep') return [{ value: 'slept' }];
        if (name === 'contract_sleep' || name === 'contract_late_write') {
          if (patient && signal !== undefined)
            await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          if (!patient || signal !== undefined) throw late();
        }
        return answer(world, name, args);
      },
      get root() {
        return wire;
      },
      inTransaction: false,
    };
    return wire;
  };
  const root = outside(true);
  const context: WireContext = {
    wire: root,
    impatient: () => outside(false),
    crowd: async () => Promise.all([1, 2].map(() => (context.transaction ?? never)())),
    sqlstateOf: (code) => Object.entries(codes).find(([, one]) => one === code)?.[0],
    transaction: async () => {
      const before = world.notes.length;
      const own = { notes: [...world.notes] };
      world.open = true;
      return {
        wire: { call: async (name, args) => answer(own, name, args), root, inTransaction: true },
        commit: async () => {
          world.notes.push(...own.notes.slice(before));
          world.open = false;
        },
        rollback: async () => {
          world.open = false;
        },
      };
    },
  };
  return context;
}

function never(): never {
  throw new Error('it has transactions');
}

describe('the wire suite over a model with many connections', () => {
  const capabilities = ['host-transaction', 'concurrency', 'deadline', 'cancel', 'reserve'];
  const options = { test, capabilities, createContext: () => createContext(false) };
  const { skipped } = registerCases(wireCases, options);
  const unseen = registerBroken(wireCases, brokenWires, options);
  test('leaves out only what is for one connection', () => {
    expect(skipped.map(({ id }) => id)).toEqual(['wire.transaction.busy']);
    expect(unseen).toEqual([]);
  });
});

describe('the wire suite over a model with one connection', () => {
  const capabilities = ['host-transaction', 'one-connection', 'deadline', 'cancel'];
  registerCases(wireCases, { test, capabilities, createContext: () => createContext(true) });
});

test('the SQL of the echo functions creates each of them, in the schema given', () => {
  const sql = wireEchoSql('odd "name"');
  for (const { name, args } of wireEchoFunctions) {
    expect(sql).toContain(`create function "odd ""name""".${name}(`);
    for (const arg of args) expect(sql).toContain(`${arg.name} ${arg.type}`);
  }
});
