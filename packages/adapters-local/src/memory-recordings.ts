import type { RecordingStore } from '@medzen/core';
import type { EventTable } from './memory-audit.ts';
import type { ConsentTable } from './memory-consents.ts';
import { claims } from './memory-recordings/claims.ts';
import { legalHolds } from './memory-recordings/legal-holds.ts';
import { lifecycle } from './memory-recordings/lifecycle.ts';
import { retention } from './memory-recordings/retention.ts';
import { sweep } from './memory-recordings/sweep.ts';
import { createRecordingTables } from './memory-recordings/table.ts';

/** @param now - milliseconds of the store's clock, for leases */
export function memoryRecordings(events: EventTable, consents: ConsentTable, now: () => number): RecordingStore {
  const tables = createRecordingTables(events, consents, now);
  return { ...lifecycle(tables), ...claims(tables), ...retention(tables), ...legalHolds(tables), ...sweep(tables) };
}
