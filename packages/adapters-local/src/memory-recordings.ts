import type { RecordingStore } from '@medzen/core';
import { claims } from './memory-recordings/claims.ts';
import { legalHolds } from './memory-recordings/legal-holds.ts';
import { lifecycle } from './memory-recordings/lifecycle.ts';
import { retention } from './memory-recordings/retention.ts';
import { sweep } from './memory-recordings/sweep.ts';
import type { RecordingTables } from './memory-recordings/table.ts';

/** The port over the tables. */
export function memoryRecordings(tables: RecordingTables): RecordingStore {
  return { ...lifecycle(tables), ...claims(tables), ...retention(tables), ...legalHolds(tables), ...sweep(tables) };
}
