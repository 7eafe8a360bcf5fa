import {
  auditStoreCases,
  consentStoreCases,
  logStoreCases,
  rateLimitStoreCases,
  recordingStoreCases,
  registerCases,
} from '@medzen/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { pgContexts, pgliteContexts } from '../../../test/sql-contexts.ts';

const everything = ['concurrency', 'host-transaction', 'direct-read', 'direct-write', 'outage'];

describe.each([
  ['pg', everything, await pgContexts()],
  ['PGlite', ['host-transaction', 'direct-read', 'direct-write'], await pgliteContexts()],
] as const)('the stores over %s', (name, capabilities, contexts) => {
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
    expect([...missing].sort()).toEqual(name === 'pg' ? [] : ['concurrency', 'outage']);
  });
  afterAll(() => contexts.close());
});
