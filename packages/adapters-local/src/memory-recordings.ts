import type { RecordingStore } from '@medzen/core';
import { accessRequests } from './memory-recordings/access-requests.ts';
import { claims } from './memory-recordings/claims.ts';
import { deletion } from './memory-recordings/deletion.ts';
import { legalHolds } from './memory-recordings/legal-holds.ts';
import { lifecycle } from './memory-recordings/lifecycle.ts';
import { retention } from './memory-recordings/retention.ts';
import { sweep } from './memory-recordings/sweep.ts';
import type { RecordingTables } from './memory-recordings/table.ts';

/** The port over the tables. */
export function memoryRecordings(tables: RecordingTables): RecordingStore {
  return {
    ...lifecycle(tables),
    ...claims(tables),
    ...retention(tables),
    ...legalHolds(tables),
    ...accessRequests(tables),
    ...sweep(tables),
    ...deletion(tables),
  };
}
