import { appendCases } from './audit-cases/append-cases.ts';
import { searchCases } from './audit-cases/search-cases.ts';
import { summaryCases } from './audit-cases/summary-cases.ts';
import type { ContractCase } from './contract.ts';
import type { AuditStoreContext } from './store-context.ts';

/** What every `AuditStore` must do. */
export const auditStoreCases: readonly ContractCase<AuditStoreContext>[] = [
  ...appendCases,
  ...searchCases,
  ...summaryCases,
];
