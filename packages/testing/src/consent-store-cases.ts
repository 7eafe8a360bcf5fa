import type { ContractCase } from './contract.ts';
import type { ConsentStoreContext } from './store-context.ts';

/** What every `ConsentStore` must do. */
export const consentStoreCases: readonly ContractCase<ConsentStoreContext>[] = [];
