import type { Capability, ContractCase } from './contract.ts';
import { missingFor, skipOne } from './left-out.ts';

/** How a suite is put to a store. */
export interface ContractOptions<Context> {
  /** What the store declares to offer. A case that requires more is skipped, and counted. */
  readonly capabilities: readonly Capability[];
  /** Makes everything fresh for one case. */
  createContext(): Context | Promise<Context>;
}

/** Options for a test runner. */
export interface RegisterOptions<Context> extends ContractOptions<Context> {
  /** `test` of vitest, node:test, Bun or `Deno.test`: all take a name and a function. */
  readonly test: (name: string, run: () => Promise<void>) => unknown;
  /**
   * The runner's way to skip (`test.skip`), when its report shall count what was left out. The name then ends with what is missing:
   * `… (needs host-transaction)`.
   */
  readonly skip?: (name: string, run: () => Promise<void>) => unknown;
}

/** A case that was left out, and what the store would have to offer for it. */
export interface SkippedCase {
  readonly id: string;
  readonly missing: readonly Capability[];
}

/** What was registered. A test may assert on it, so that skips cannot creep in. */
export interface Registered {
  readonly registered: number;
  readonly skipped: readonly SkippedCase[];
}

/** What came of each case. */
export interface ContractReport {
  readonly passed: readonly string[];
  readonly failed: readonly { readonly id: string; readonly error: unknown }[];
  readonly skipped: readonly SkippedCase[];
}

interface Disposable {
  dispose?(): Promise<void>;
}

/**
 * Registers a suite with any test runner. A skip comes only from a capability that is not declared.
 *
 * @param cases - a suite, e.g. `auditStoreCases`
 * @returns how many were registered, and which were left out and why
 * @example
 * ```ts
 * import { test } from 'vitest';
 * import { memoryStores } from '@medzen/adapters-local';
 * import { fakeClock, rateLimitStoreCases, registerCases } from '@medzen/testing';
 * registerCases(rateLimitStoreCases, {
 *   test,
 *   capabilities: [],
 *   createContext: () => {
 *     const clock = fakeClock();
 *     return {
 *       stores: memoryStores({ clock }),
 *       scope: { tenant: 'a' },
 *       otherScope: { tenant: 'b' },
 *       clock,
 *       advance: async (ms) => clock.advance(ms),
 *     };
 *   },
 * });
 * ```
 */
export function registerCases<Context extends object>(
  cases: readonly ContractCase<Context>[],
  options: RegisterOptions<Context>,
): Registered {
  const { chosen, skipped } = choose(cases, options.capabilities);
  for (const item of chosen) options.test(nameOf(item), () => runOne(item, options));
  for (const { item, missing } of skipped) skipOne(nameOf(item), missing, options);
  return { registered: chosen.length, skipped: skipped.map(({ item, missing }) => ({ id: item.id, missing })) };
}

function nameOf(item: Pick<ContractCase<never>, 'id' | 'title'>): string {
  return `${item.id}: ${item.title}`;
}

/**
 * Runs a suite without a test runner, one case after the other.
 *
 * @returns a verdict on each; never rejects for a failing case
 * @example
 * ```ts
 * import { type ContractCase, runContract } from '@medzen/testing';
 * const cases: ContractCase<{ n: number }>[] = [
 *   { id: 'n.one', title: 'n is one', requires: [], run: async ({ n }) => { if (n !== 1) throw new Error('no'); } },
 * ];
 * const report = await runContract(cases, { capabilities: [], createContext: () => ({ n: 1 }) });
 * report.passed; // ['n.one']
 * ```
 */
export async function runContract<Context extends object>(
  cases: readonly ContractCase<Context>[],
  options: ContractOptions<Context>,
): Promise<ContractReport> {
  const { chosen, skipped } = choose(cases, options.capabilities);
  const passed: string[] = [];
  const failed: { readonly id: string; readonly error: unknown }[] = [];
  for (const item of chosen) {
    try {
      await runOne(item, options);
      passed.push(item.id);
    } catch (error) {
      failed.push({ id: item.id, error });
    }
  }
  return { passed, failed, skipped: skipped.map(({ item, missing }) => ({ id: item.id, missing })) };
}

interface LeftOut<Context> {
  readonly item: ContractCase<Context>;
  readonly missing: readonly Capability[];
}

function choose<Context>(
  cases: readonly ContractCase<Context>[],
  capabilities: readonly Capability[],
): { chosen: ContractCase<Context>[]; skipped: LeftOut<Context>[] } {
  const ids = new Set<string>();
  const chosen: ContractCase<Context>[] = [];
  const skipped: LeftOut<Context>[] = [];
  for (const item of cases) {
    if (ids.has(item.id)) throw new Error(`Two cases are called ${item.id}`);
    ids.add(item.id);
    const missing = missingFor(item, capabilities);
    if (missing.length === 0) chosen.push(item);
    else skipped.push({ item, missing });
  }
  return { chosen, skipped };
}

async function runOne<Context extends object>(
  item: ContractCase<Context>,
  options: ContractOptions<Context>,
): Promise<void> {
  const context = await options.createContext();
  try {
    await item.run(context);
  } finally {
    await (context as Disposable).dispose?.(); // optional in every context; looked for on those that have one
  }
}
