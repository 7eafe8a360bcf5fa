import type { Stores } from '@medzen/core';
import {
  auditStoreCases,
  type BrokenStore,
  brokenAuditStores,
  brokenConsentStores,
  brokenCursorStores,
  brokenIdentityStores,
  brokenLogStores,
  brokenRateLimitStores,
  brokenRecordingStores,
  brokenReviewStores,
  type ContractCase,
  consentStoreCases,
  cursorStoreCases,
  type IdentityStoreContext,
  identityStoreCases,
  logStoreCases,
  rateLimitStoreCases,
  recordingStoreCases,
  registerBroken,
  registerCases,
  reviewStoreCases,
  type StoreContext,
} from '@medzen/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { type CarrierName, capabilitiesOf } from './contract-suites.ts';

type Context = StoreContext<keyof Stores>;

/** Where the contexts of the cases come from. */
interface Contexts {
  create(): Context | Promise<Context>;
  close?(): Promise<void>;
}

/**
 * Puts every store suite and every broken store to the stores over one carrier. What is skipped is what the carrier is said to lack
 * in `contract-suites.ts`, and the results carry it for `scripts/contract-table.ts`.
 */
export function putStores(carrier: CarrierName, contexts: Contexts): void {
  const capabilities = capabilitiesOf(carrier);
  const createContext = async (): Promise<Context> => contexts.create();
  const createIdentityContext = async (): Promise<IdentityStoreContext> => {
    const { keepErasable, ...context } = await createContext();
    if (keepErasable === undefined) throw new Error(`Nothing switches the identities over ${carrier}`);
    return { ...context, keepErasable };
  };
  const put = <C extends object>(
    cases: readonly ContractCase<C>[],
    broken: readonly BrokenStore<C>[],
    create: () => Promise<C>,
  ): readonly string[] => {
    const options = { test, skip: test.skip, capabilities, createContext: create };
    registerCases(cases, options);
    return registerBroken(cases, broken, options);
  };
  describe(`the stores over ${carrier}`, { meta: { carrier } }, () => {
    const unseen = [
      ...put(auditStoreCases, brokenAuditStores, createContext),
      ...put(logStoreCases, brokenLogStores, createContext),
      ...put(cursorStoreCases, brokenCursorStores, createContext),
      ...put(reviewStoreCases, brokenReviewStores, createContext),
      ...put(identityStoreCases, brokenIdentityStores, createIdentityContext),
      ...put(consentStoreCases, brokenConsentStores, createContext),
      ...put(recordingStoreCases, brokenRecordingStores, createContext),
      ...put(rateLimitStoreCases, brokenRateLimitStores, createContext),
    ];
    test('leave no broken store unnoticed', () => expect(unseen).toEqual([]));
    afterAll(() => contexts.close?.());
  });
}
