import { batchedAuditStore } from '../packages/audit/src/index.ts';
import { raceWriters } from './audit-writers-race.ts';
import type { Bench } from './row.ts';

/** Sixteen writers of one process, one event each at a time, each durable before the next: those that come together share a write. */
export const bench: Bench = {
  id: 'audit-writers',
  run: () =>
    raceWriters('audit-writers', 'events per second, 16 writers, durable', (audit) => batchedAuditStore(audit)),
};
