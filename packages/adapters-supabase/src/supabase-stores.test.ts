import { createClient } from '@supabase/supabase-js';
import { expect, test } from 'vitest';
import { supabaseContexts } from '../../../test/postgrest-stand-in-contexts.ts';
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
