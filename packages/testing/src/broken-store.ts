import { isMedzenError } from '@medzen/core';
import type { ContractCase } from './contract.ts';
import { missingFor, skipOne } from './left-out.ts';
import { type ContractOptions, type RegisterOptions, runContract } from './run-contract.ts';

/** A store with one fault: proof that the suite would notice it. */
export interface BrokenStore<Context> {
  readonly id: string;
  /** What it does wrong. */
  readonly title: string;
  /** The case that must fail. Others may. */
  readonly mustFail: string;
  /** Puts the fault over a good store. */
  wrap(context: Context): Context;
}

/**
 * Registers one test for each broken store, which passes when the suite notices the fault: a suite that no broken store fails proves nothing.
 *
 * @param cases - the suite
 * @param broken - its broken stores, e.g. `brokenAuditStores`
 * @param options - as for `registerCases`; the stores must be good ones
 * @returns the ids of the broken stores whose case this adapter's capabilities leave out
 */
export function registerBroken<Context extends object>(
  cases: readonly ContractCase<Context>[],
  broken: readonly BrokenStore<Context>[],
  options: RegisterOptions<Context>,
): readonly string[] {
  const left: string[] = [];
  for (const one of broken) {
    const target = cases.find(({ id }) => id === one.mustFail);
    if (target === undefined) throw new Error(`${one.id} names a case that does not exist: ${one.mustFail}`);
    const name = `${one.id}: ${one.title} – fails ${one.mustFail}`;
    const missing = missingFor(target, options.capabilities);
    if (missing.length === 0) options.test(name, () => expectNoticed(target, one, options));
    else {
      skipOne(name, missing, options);
      left.push(one.id);
    }
  }
  return left;
}

/** Rejects unless the case fails, and fails by noticing (not because the fault itself crashed). */
async function expectNoticed<Context extends object>(
  target: ContractCase<Context>,
  one: BrokenStore<Context>,
  options: ContractOptions<Context>,
): Promise<void> {
  const createContext = async (): Promise<Context> => one.wrap(await options.createContext());
  const { failed } = await runContract([target], { ...options, createContext });
  const [failure] = failed;
  if (failure === undefined) throw new Error(`Not noticed: ${one.id} passes ${one.mustFail}`);
  // Either by an assertion of the suite, or by an answer of the store that the case did not expect.
  const asserted = failure.error instanceof Error && failure.error.message.startsWith('Contract broken');
  const noticed = asserted || isMedzenError(failure.error);
  if (!noticed) throw new Error(`${one.id} crashed instead of being noticed`, { cause: failure.error });
}
