import { describe, expect, test } from 'vitest';
import { holds } from './assertions.ts';
import { type BrokenStore, registerBroken } from './broken-store.ts';
import type { ContractCase } from './contract.ts';
import { registerCases, runContract } from './run-contract.ts';

interface Context {
  n: number;
  dispose?(): Promise<void>;
}

function item(
  id: string,
  run: (context: Context) => Promise<void>,
  requires: readonly string[] = [],
): ContractCase<Context> {
  return { id, title: `title of ${id}`, requires, run };
}

const isOne = item('one', async ({ n }) => holds(n === 1, 'n is not one'));
const needsMore = item('more', async () => undefined, ['concurrency', 'outage']);

describe('runContract', () => {
  test('reports what passed, what failed and what was left out', async () => {
    const error = new Error('no');
    const failing = item('failing', () => Promise.reject(error));
    const report = await runContract([isOne, failing, needsMore], {
      capabilities: ['outage'],
      createContext: () => ({ n: 1 }),
    });
    expect(report).toEqual({
      passed: ['one'],
      failed: [{ id: 'failing', error }],
      skipped: [{ id: 'more', missing: ['concurrency'] }],
    });
  });

  test('makes everything fresh for each case, and disposes of it whatever came of the case', async () => {
    let disposed = 0;
    const spoil = item('spoil', async (context) => {
      context.n = 2;
      throw new Error('spoilt');
    });
    const report = await runContract([spoil, { ...isOne, id: 'one' }, { ...spoil, id: 'spoil 2' }], {
      capabilities: [],
      createContext: () => ({ n: 1, dispose: async () => void disposed++ }),
    });
    expect(report.passed).toEqual(['one']);
    expect(disposed).toBe(3);
  });

  test('refuses two cases of one id', async () => {
    const run = runContract([isOne, isOne], { capabilities: [], createContext: () => ({ n: 1 }) });
    await expect(run).rejects.toThrowError('Two cases are called one');
  });
});

describe('registerCases', () => {
  test('registers with any runner, and counts what it left out', async () => {
    const registered = new Map<string, () => Promise<void>>();
    const answer = registerCases([isOne, needsMore], {
      test: (name, run) => registered.set(name, run),
      capabilities: [],
      createContext: () => ({ n: 2 }),
    });
    expect(answer).toEqual({ registered: 1, skipped: [{ id: 'more', missing: ['concurrency', 'outage'] }] });
    expect([...registered.keys()]).toEqual(['one: title of one']);
    await expect(registered.get('one: title of one')?.()).rejects.toThrowError('Contract broken: n is not one');
  });
});

test('what is left out is counted by a runner that can skip, with what is missing', () => {
  const skipped: string[] = [];
  const options = {
    test: () => undefined,
    skip: (name: string) => skipped.push(name),
    capabilities: ['outage'],
    createContext: () => ({ n: 1 }),
  };
  registerCases([isOne, needsMore], options);
  const broken = { id: 'b', title: 'broken', mustFail: 'more', wrap: (context: Context) => context };
  registerBroken([needsMore], [broken], options);
  expect(skipped).toEqual(['more: title of more (needs concurrency)', 'b: broken – fails more (needs concurrency)']);
});

describe('registerBroken', () => {
  const broken = (wrap: BrokenStore<Context>['wrap']): BrokenStore<Context> => ({
    id: 'b',
    title: 'broken',
    mustFail: 'one',
    wrap,
  });

  async function outcome(wrap: BrokenStore<Context>['wrap']): Promise<string> {
    const runs: (() => Promise<void>)[] = [];
    registerBroken([isOne], [broken(wrap)], {
      test: (_, run) => runs.push(run),
      capabilities: [],
      createContext: () => ({ n: 1 }),
    });
    return Promise.all(runs.map((run) => run())).then(
      () => `${runs.length} noticed`,
      (error: Error) => error.message,
    );
  }

  test('passes when the fault is noticed', async () => {
    expect(await outcome((context) => ({ ...context, n: 2 }))).toBe('1 noticed');
  });

  test('fails when it is not', async () => {
    expect(await outcome((context) => context)).toBe('Not noticed: b passes one');
  });

  test('fails when the fault merely crashed', async () => {
    const crash = {
      get n(): number {
        throw new TypeError('oops');
      },
    };
    expect(await outcome(() => crash)).toBe('b crashed instead of being noticed');
  });

  test('refuses a broken store of a case that does not exist, and names those left out', () => {
    const options = { test: () => undefined, capabilities: [], createContext: () => ({ n: 1 }) };
    const stray = { ...broken((context) => context), mustFail: 'gone' };
    expect(() => registerBroken([isOne], [stray], options)).toThrowError('gone');
    expect(registerBroken([needsMore], [{ ...stray, mustFail: 'more' }], options)).toEqual(['b']);
  });
});
