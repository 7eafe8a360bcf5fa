import {
  auditStoreCases,
  type BrokenStore,
  brokenAuditStores,
  brokenConsentStores,
  brokenLogStores,
  brokenRateLimitStores,
  brokenRecordingStores,
  type Capability,
  type ContractCase,
  consentStoreCases,
  logStoreCases,
  rateLimitStoreCases,
  recordingStoreCases,
  registerBroken,
  registerCases,
} from '@medzen/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { neonContexts, pgContexts, pgliteContexts, postgresJsContexts } from '../../../test/sql-contexts.ts';

const everything: readonly Capability[] = ['concurrency', 'host-transaction', 'direct-read', 'direct-write', 'outage'];
const without = (...missing: readonly Capability[]): readonly Capability[] =>
  everything.filter((one) => !missing.includes(one));

describe.each([
  ['pg', everything, await pgContexts()],
  ['postgres.js', everything, await postgresJsContexts()],
  ["Neon's HTTP driver and a stand-in of its endpoint", without('host-transaction'), await neonContexts()],
  ['PGlite', without('concurrency', 'outage'), await pgliteContexts()],
] as const)('the stores over %s', (_name, capabilities, contexts) => {
  const options = { test, capabilities, createContext: () => contexts.create() };
  const registered = [
    registerCases(auditStoreCases, options),
    registerCases(logStoreCases, options),
    registerCases(consentStoreCases, options),
    registerCases(recordingStoreCases, options),
    registerCases(rateLimitStoreCases, options),
  ];
  test('leave out no case that they could be put to', () => {
    const missing = new Set(registered.flatMap(({ skipped }) => skipped.flatMap((one) => one.missing)));
    expect([...missing].sort()).toEqual(everything.filter((one) => !capabilities.includes(one)).sort());
  });
  afterAll(() => contexts.close());
});

// One wire is enough: what a fault does to a store does not depend on how its calls travel.
describe('every broken store is noticed over PGlite', async () => {
  const contexts = await pgliteContexts();
  const capabilities = without('concurrency', 'outage');
  const create = () => contexts.create();
  const put = <C extends object>(
    cases: readonly ContractCase<C>[],
    broken: readonly BrokenStore<C>[],
    createContext: () => Promise<C>,
  ): readonly string[] => registerBroken(cases, broken, { test, capabilities, createContext });
  const unseen = [
    ...put(auditStoreCases, brokenAuditStores, create),
    ...put(logStoreCases, brokenLogStores, create),
    ...put(consentStoreCases, brokenConsentStores, create),
    ...put(recordingStoreCases, brokenRecordingStores, create),
    ...put(rateLimitStoreCases, brokenRateLimitStores, create),
  ];
  test('none is left out', () => expect(unseen).toEqual([]));
  afterAll(() => contexts.close());
});
