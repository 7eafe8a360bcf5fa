import { MedzenError, type Wire, type WireCell, type WireRow, type WireValue } from '@medzen/core';
import type { BrokenStore } from '../broken-store.ts';
import type { WireContext, WireTransaction } from '../wire-context.ts';

function broken(
  id: string,
  title: string,
  mustFail: string,
  fault: (good: Wire) => Partial<Wire>,
): BrokenStore<WireContext> {
  const over = (good: Wire): Wire => {
    const wire: Wire = {
      call: (name, args, options) => good.call(name, args, options),
      get root() {
        return good.root === good ? wire : over(good.root);
      },
      get inTransaction() {
        return good.inTransaction;
      },
    };
    return Object.defineProperties(wire, Object.getOwnPropertyDescriptors(fault(good)));
  };
  return {
    id: `wire.${id}`,
    title,
    mustFail: `wire.${mustFail}`,
    wrap: (context) => ({
      ...context,
      wire: over(context.wire),
      ...(context.impatient === undefined ? {} : { impatient: () => over((context.impatient ?? fail)()) }),
      ...(context.crowd === undefined
        ? {}
        : {
            crowd: async (): Promise<readonly WireTransaction[]> =>
              (await (context.crowd ?? fail)()).map((open) => ({ ...open, wire: over(open.wire) })),
          }),
      ...(context.transaction === undefined
        ? {}
        : {
            transaction: async (): Promise<WireTransaction> => {
              const open = await context.transaction?.();
              if (open === undefined) throw new Error('no transaction');
              return { ...open, wire: over(open.wire) };
            },
          }),
    }),
  };
}

function fail(): never {
  throw new Error('not offered'); // looked at just before
}

/** Changes what goes in. */
function sending(change: (value: WireValue) => WireValue): (good: Wire) => Partial<Wire> {
  return (good) => ({
    call: (name, args) =>
      good.call(name, Object.fromEntries(Object.entries(args).map(([key, value]) => [key, change(value)]))),
  });
}

/** Changes what comes out. */
function receiving(change: (cell: WireCell, name: string) => WireCell): (good: Wire) => Partial<Wire> {
  return (good) => ({
    call: async (name, args) =>
      (await good.call(name, args)).map(
        (row): WireRow => Object.fromEntries(Object.entries(row).map(([key, cell]) => [key, change(cell, name)])),
      ),
  });
}

/** Changes what is thrown. */
function failing(change: (error: unknown) => unknown): (good: Wire) => Partial<Wire> {
  return (good) => ({
    call: async (name, args) => {
      try {
        return await good.call(name, args);
      } catch (error) {
        throw change(error);
      }
    },
  });
}

/** Wires that must fail `wireCases`. */
export const brokenWires: readonly BrokenStore<WireContext>[] = [
  broken(
    'trims',
    'trims text',
    'text',
    sending((value) => (typeof value === 'string' ? value.trim() : value)),
  ),
  broken(
    'empty_for_null',
    'gives an empty text for null',
    'null',
    receiving((cell) => cell ?? ''),
  ),
  broken(
    'null_for_empty',
    'takes an empty text for null',
    'text',
    sending((value) => (value === '' ? null : value)),
  ),
  broken(
    'big_numbers',
    'reads 64-bit integers as numbers',
    'bigint',
    receiving((cell, name) => (name === 'contract_bigint' && cell !== null ? Number(cell) : cell)),
  ),
  broken(
    'number_as_text',
    'reads 32-bit integers as text',
    'int4',
    receiving((cell) => (typeof cell === 'number' ? String(cell) : cell)),
  ),
  broken(
    'bool_as_text',
    'reads booleans as text',
    'bool',
    receiving((cell) => (typeof cell === 'boolean' ? (cell ? 't' : 'f') : cell)),
  ),
  broken(
    'bytes_as_text',
    'reads bytes as hexadecimal',
    'bytes',
    receiving((cell) => (cell instanceof Uint8Array ? `\\x${cell.length}` : cell)),
  ),
  broken(
    'cuts_bytes',
    'cuts bytes at 64 KB less one',
    'bytes',
    sending((value) => (value instanceof Uint8Array ? value.subarray(0, 65_535) : value)),
  ),
  broken(
    'local_time',
    'reads instants to the second',
    'instant',
    receiving((cell, name) =>
      name === 'contract_instant' && typeof cell === 'string' ? cell.replace(/\.\d+Z$/, '.000Z') : cell,
    ),
  ),
  broken(
    'splits_at_commas',
    'splits lists at commas',
    'array.text',
    sending((value) =>
      Array.isArray(value)
        ? value.flatMap((one: string | Uint8Array) => (typeof one === 'string' ? one.split(',') : []))
        : value,
    ),
  ),
  broken(
    'drops_empty_bytes',
    'leaves out empty byte arrays',
    'array.bytes',
    sending((value) =>
      Array.isArray(value) ? (value.filter((one: string | Uint8Array) => one.length > 0) as readonly string[]) : value,
    ),
  ), // of one kind, as it came
  broken(
    'json_as_text',
    'gives JSON back as text',
    'json',
    receiving((cell, name) => (name === 'contract_json' ? JSON.stringify(cell) : cell)),
  ),
  broken('first_rows', 'gives the first thousand rows', 'rows', (good) => ({
    call: async (name, args) => (await good.call(name, args)).slice(0, 1000),
  })),
  broken('null_for_absent', 'sends null for what is not given', 'defaults', (good) => ({
    call: (name, args) => good.call(name, name === 'contract_default' ? { first: null, second: null, ...args } : args),
  })),
  broken('ignores_unknown', 'answers calls that do not exist', 'unknown', (good) => ({
    call: async (name, args) => {
      try {
        return await good.call(name, args);
      } catch {
        return [];
      }
    },
  })),
  broken(
    'one_code',
    'turns every error into one code',
    'error.codes',
    failing((cause) => new MedzenError('conflict', 'Failed', { cause })),
  ),
  broken(
    'gives_up',
    'does not mark as retryable what passes',
    'error.passing',
    failing((cause) => new MedzenError('internal', 'Failed', { cause })),
  ),
  broken(
    'tries_again',
    'marks bugs as retryable',
    'error.bugs',
    failing((cause) => new MedzenError('store_unavailable', 'Failed', { cause })),
  ),
  broken('root_inside', 'reaches no further than its transaction by its root', 'transaction.root', (good) => ({
    get root() {
      return good;
    },
  })),
  broken('hides_transaction', 'does not say that it is in a transaction', 'transaction.commit', () => ({
    inTransaction: false,
  })),
  broken('escapes', 'makes its calls outside the transaction', 'transaction.rollback', (good) => ({
    call: (name, args, options) =>
      good.inTransaction ? good.root.call(name, args, options) : good.call(name, args, options),
  })),
  broken('late_is_final', 'does not mark as retryable what was late', 'deadline.late', (good) => ({
    call: async (name, args, options) => {
      try {
        return await good.call(name, args, options);
      } catch (cause) {
        if (name !== 'contract_sleep') throw cause;
        throw new MedzenError('store_unavailable', 'Late', { cause, retryable: false });
      }
    },
  })),
  broken('late_is_nothing', 'takes no answer for an answer without rows', 'deadline.late', (good) => ({
    call: async (name, args, options) => {
      try {
        return await good.call(name, args, options);
      } catch (cause) {
        if (name !== 'contract_sleep') throw cause;
        return [];
      }
    },
  })),
  broken('late_goes_on', 'leaves late work to the server', 'deadline.cancel', (good) => ({
    call: async (name, args, options) => {
      if (name !== 'contract_late_write') return good.call(name, args, options);
      const error: unknown = await good.call(name, args, options).catch((cause: unknown) => cause);
      // What the server would have done: this wire's own deadline may cut it short, and then it is tried again.
      const write = (): Promise<unknown> => good.call('contract_write', { value: 'late' }).catch(() => undefined);
      while ((await write()) === undefined);
      throw error;
    },
  })),
  broken('deaf', 'does not look at the signal', 'deadline.signal', (good) => ({
    call: (name, args) => good.call(name, args),
  })),
  broken('hurried', 'has no patience for a call that asks for it', 'deadline.patience', (good) => ({
    call: (name, args, options) => good.call(name, args, { signal: options?.signal }),
  })),
  broken('waits_for_pool', 'has no connection for its root while the pool has none', 'root.reserve', (good) => ({
    call: async (name, args, options) => {
      if (good.inTransaction || name !== 'contract_write') return good.call(name, args, options);
      throw new MedzenError('store_unavailable', 'The pool has no connection');
    },
  })),
];
