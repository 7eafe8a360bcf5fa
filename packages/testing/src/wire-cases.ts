import type { ContractCase } from './contract.ts';
import type { WireContext } from './wire-context.ts';

/** What every `Wire` must do. */
export const wireCases: readonly ContractCase<WireContext>[] = [];
