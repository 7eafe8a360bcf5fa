import type { Stores } from '@medzen/core';
import {
  auditStoreCases,
  type Capability,
  consentStoreCases,
  fakeClock,
  logStoreCases,
  rateLimitStoreCases,
  recordingStoreCases,
  registerCases,
  type StoreContext,
} from '@medzen/testing';
import { describe, test } from 'vitest';
import { memoryStores } from './memory-stores.ts';

function createContext(): StoreContext<keyof Stores> {
  const clock = fakeClock();
  const { inspect, ...stores } = memoryStores({ clock });
  return {
    stores,
    scope: { tenant: 'clinic-a' },
    otherScope: { tenant: 'clinic-b' },
    clock,
    advance: async (ms) => clock.advance(ms),
    reader: {
      countEvents: async () => inspect.countEvents(),
      eventsFor: async (id) => inspect.eventsFor(id),
    },
    damage: async (id, body) => inspect.damage(id, body),
  };
}

// One thread and no host transactions: `concurrency`, `host-transaction` and `outage` are what a database has.
const options = { test, capabilities: ['direct-write'] satisfies Capability[], createContext };

describe('the audit store in memory', () => {
  registerCases(auditStoreCases, options);
});
describe('the log store in memory', () => {
  registerCases(logStoreCases, options);
});
describe('the consent store in memory', () => {
  registerCases(consentStoreCases, options);
});
describe('the recording store in memory', () => {
  registerCases(recordingStoreCases, options);
});
describe('the rate limit store in memory', () => {
  registerCases(rateLimitStoreCases, options);
});
