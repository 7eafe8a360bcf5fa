import type { ContractCase } from './contract.ts';
import { accessCases } from './recording-cases/access-cases.ts';
import { accessRequestCases } from './recording-cases/access-request-cases.ts';
import { changeCases } from './recording-cases/change-cases.ts';
import { claimCases } from './recording-cases/claim-cases.ts';
import { deletionCases } from './recording-cases/deletion-cases.ts';
import { everyMethodCases } from './recording-cases/every-method-cases.ts';
import { factCases } from './recording-cases/fact-cases.ts';
import { holdCases } from './recording-cases/hold-cases.ts';
import { holdListCases } from './recording-cases/hold-list-cases.ts';
import { keepCases } from './recording-cases/keep-cases.ts';
import { reconciliationCases } from './recording-cases/reconciliation-cases.ts';
import { removalCases } from './recording-cases/removal-cases.ts';
import { retentionCases } from './recording-cases/retention-cases.ts';
import { startCases } from './recording-cases/start-cases.ts';
import { stopCases } from './recording-cases/stop-cases.ts';
import type { RecordingStoreContext } from './store-context.ts';

/** What every `RecordingStore` must do. */
export const recordingStoreCases: readonly ContractCase<RecordingStoreContext>[] = [
  ...startCases,
  ...changeCases,
  ...accessCases,
  ...claimCases,
  ...stopCases,
  ...reconciliationCases,
  ...retentionCases,
  ...factCases,
  ...keepCases,
  ...holdCases,
  ...holdListCases,
  ...accessRequestCases,
  ...deletionCases,
  ...removalCases,
  ...everyMethodCases,
];
