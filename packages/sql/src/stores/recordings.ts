import type { RecordingStore, Wire } from '@medzen/core';
import { accessRequests } from './recordings/access-requests.ts';
import { transferClaims } from './recordings/claims.ts';
import { deletion } from './recordings/deletion.ts';
import { legalHolds } from './recordings/legal-holds.ts';
import { lifecycle } from './recordings/lifecycle.ts';
import { retention } from './recordings/retention.ts';

/** Recordings, in `medzen.recording` and the tables around it. */
export function recordingStore(wire: Wire): RecordingStore {
  return {
    ...lifecycle(wire),
    ...transferClaims(wire),
    ...retention(wire),
    ...legalHolds(wire),
    ...accessRequests(wire),
    ...deletion(wire),
  };
}
