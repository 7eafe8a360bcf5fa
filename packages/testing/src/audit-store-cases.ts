import type { ContractCase } from './contract.ts';
import type { AuditStoreContext } from './store-context.ts';

/** What every `AuditStore` must do. */
export const auditStoreCases: readonly ContractCase<AuditStoreContext>[] = [];
