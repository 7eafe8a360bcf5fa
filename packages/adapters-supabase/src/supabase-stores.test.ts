import {
  auditStoreCases,
  brokenAuditStores,
  brokenConsentStores,
  brokenLogStores,
  brokenRateLimitStores,
  brokenRecordingStores,
  consentStoreCases,
  logStoreCases,
  rateLimitStoreCases,
  recordingStoreCases,
  registerBroken,
  registerCases,
} from '@medzen/testing';
import { createClient } from '@supabase/supabase-js';
import { afterAll, describe, expect, test } from 'vitest';
import { supabaseContexts } from '../../../test/postgrest-stand-in-contexts.ts';
import { type SupabaseClientLike, supabaseStores } from './index.ts';

const contexts = await supabaseContexts();

describe('the stores through supabase-js and a stand-in for PostgREST', () => {
  const options = {
    test,
    capabilities: ['concurrency', 'direct-read', 'direct-write', 'outage'],
    createContext: () => contexts.create(),
  };
  const registered = [
    registerCases(auditStoreCases, options),
    registerCases(logStoreCases, options),
    registerCases(consentStoreCases, options),
    registerCases(recordingStoreCases, options),
    registerCases(rateLimitStoreCases, options),
  ];
  const unseen = [
    ...registerBroken(auditStoreCases, brokenAuditStores, options),
    ...registerBroken(logStoreCases, brokenLogStores, options),
    ...registerBroken(consentStoreCases, brokenConsentStores, options),
    ...registerBroken(recordingStoreCases, brokenRecordingStores, options),
    ...registerBroken(rateLimitStoreCases, brokenRateLimitStores, options),
  ];
  test("leave out only the cases of a host's transaction, and no broken store", () => {
    const missing = new Set(registered.flatMap(({ skipped }) => skipped.flatMap((one) => one.missing)));
    expect([...missing]).toEqual(['host-transaction']);
    expect(unseen).toEqual([]);
  });
  afterAll(() => contexts.close());
});

test('supabaseStores takes the client of supabase-js, with and without the types of a database', () => {
  // As `supabase gen types` writes it.
  type Database = {
    public: {
      Tables: {
        note: {
          Row: { id: string };
          Insert: { id: string };
          Update: { id?: string };
          Relationships: [];
        };
      };
      Views: { [_ in never]: never };
      Functions: { count_notes: { Args: { since: string }; Returns: number } };
      Enums: { [_ in never]: never };
      CompositeTypes: { [_ in never]: never };
    };
  };
  const plain: SupabaseClientLike = createClient('http://project.test', 'key');
  const typed: SupabaseClientLike = createClient<Database>('http://project.test', 'key');
  for (const client of [plain, typed])
    expect(Object.keys(supabaseStores(client)).sort()).toEqual(['audit', 'consents', 'limits', 'log', 'recordings']);
});
