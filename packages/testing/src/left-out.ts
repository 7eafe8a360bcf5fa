import type { Capability, ContractCase } from './contract.ts';

/** What a case asks for beyond what is declared. */
export function missingFor(
  item: Pick<ContractCase<never>, 'requires'>,
  capabilities: readonly Capability[],
): readonly Capability[] {
  return item.requires.filter((capability) => !capabilities.includes(capability));
}

/** Registers what is left out, where the runner can count it. */
export function skipOne(
  name: string,
  missing: readonly Capability[],
  options: { readonly skip?: (name: string, run: () => Promise<void>) => unknown },
): void {
  options.skip?.(`${name} (needs ${missing.join(', ')})`, () => Promise.resolve());
}
