import type { ContractCase } from './contract.ts';
import { exactCases } from './limit-cases/exact-cases.ts';
import { keyCases } from './limit-cases/key-cases.ts';
import type { RateLimitStoreContext } from './store-context.ts';

/** What every `RateLimitStore` must do. */
export const rateLimitStoreCases: readonly ContractCase<RateLimitStoreContext>[] = [...exactCases, ...keyCases];
