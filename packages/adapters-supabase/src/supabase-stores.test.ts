import { checkInstallation } from '@medzen/sql';
import { createClient } from '@supabase/supabase-js';
import { expect, test } from 'vitest';
import { freshDatabase } from '../../../test/postgres.ts';
import { supabaseContexts, supabaseProject } from '../../../test/postgrest-stand-in-contexts.ts';
import { putStores } from '../../../test/put-stores.ts';
import { type SupabaseClientLike, supabaseStores } from './index.ts';

// Through supabase-js and a stand-in for PostgREST.
putStores('Supabase stand-in', await supabaseContexts());

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
    expect(Object.keys(supabaseStores(client))).toEqual(
      expect.arrayContaining(['audit', 'consents', 'limits', 'log', 'recordings']),
    );
});

test('supabaseStores are checked by checkInstallation, and end their calls with a signal', async () => {
  const db = await freshDatabase();
  const project = await supabaseProject(db.url);
  try {
    const client = await project.client('service_role');
    const sound = await checkInstallation(supabaseStores(client));
    expect(sound.findings.map(({ id }) => id)).not.toContain('ledger.missing');
    expect(sound.ok).toBe(true);
    const { findings, ok } = await checkInstallation(supabaseStores(client, { schema: 'unexposed' }));
    expect(ok).toBe(false);
    expect(findings).toMatchObject([{ severity: 'critical' }]);
    await db.pool.query("DELETE FROM medzen.migration WHERE id LIKE '000018%'");
    const missing = await checkInstallation(supabaseStores(client));
    expect(missing.findings.map(({ id }) => id)).toContain('ledger.missing');
    const stop = new AbortController();
    const { audit } = supabaseStores(client, { signal: stop.signal });
    stop.abort(new Error('the client went away'));
    await expect(audit.search({ tenant: 'clinic-a' }, {})).rejects.toMatchObject({ code: 'store_unavailable' });
  } finally {
    await project.close();
    await db.drop();
  }
}, 120_000);
