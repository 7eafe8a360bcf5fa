import type { ContractCase } from './contract.ts';
import type { RecordingStoreContext } from './store-context.ts';

/** What every `RecordingStore` must do. */
export const recordingStoreCases: readonly ContractCase<RecordingStoreContext>[] = [];
