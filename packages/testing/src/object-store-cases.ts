import type { ContractCase } from './contract.ts';
import { linkCases } from './object-cases/link-cases.ts';
import { putCases } from './object-cases/put-cases.ts';
import { readCases } from './object-cases/read-cases.ts';
import { versionCases } from './object-cases/version-cases.ts';
import type { ObjectStoreContext } from './object-store-context.ts';

/** What every `ObjectStore` must do. */
export const objectStoreCases: readonly ContractCase<ObjectStoreContext>[] = [
  ...putCases,
  ...readCases,
  ...versionCases,
  ...linkCases,
];
