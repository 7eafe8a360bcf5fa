import type { ContractCase } from './contract.ts';
import type { LogStoreContext } from './store-context.ts';

/** What every `LogStore` must do. */
export const logStoreCases: readonly ContractCase<LogStoreContext>[] = [];
