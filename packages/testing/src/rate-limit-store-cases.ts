import type { ContractCase } from './contract.ts';
import type { RateLimitStoreContext } from './store-context.ts';

/** What every `RateLimitStore` must do. */
export const rateLimitStoreCases: readonly ContractCase<RateLimitStoreContext>[] = [];
