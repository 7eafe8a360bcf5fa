import type { BrokenStore } from '../broken-store.ts';
import type { RecordingStoreContext } from '../store-context.ts';
import { brokenDeletions } from './recording/broken-deletion.ts';
import { brokenLifecycles } from './recording/broken-lifecycle.ts';
import { brokenRemovals } from './recording/broken-removal.ts';
import { brokenRetentions } from './recording/broken-retention.ts';
import { brokenWork } from './recording/broken-work.ts';

/** Recording stores that must fail `recordingStoreCases`. */
export const brokenRecordingStores: readonly BrokenStore<RecordingStoreContext>[] = [
  ...brokenLifecycles,
  ...brokenWork,
  ...brokenDeletions,
  ...brokenRemovals,
  ...brokenRetentions,
];
