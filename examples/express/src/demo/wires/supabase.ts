import { supabaseStores } from '@medzen/adapters-supabase';
import { type SupabaseProject, supabaseProject } from '../../../../../test/postgrest-stand-in-contexts.ts';
import type { DemoDatabase } from '../demo-database.ts';
import { openServer } from './server.ts';

/**
 * The real supabase-js, with a key of `service_role`. What answers it is not Supabase: PostgREST does not come from npm, so a stand-in
 * of the tests speaks its protocol, over a real Postgres whose roles and grants decide.
 */
export function openSupabase(): Promise<DemoDatabase> {
  let project: SupabaseProject | undefined;
  return openServer({
    // Supabase's roles are there before anything is installed.
    prepare: async (url) => {
      project = await supabaseProject(url);
    },
    connect: async () => {
      if (project === undefined) throw new Error('The stand-in did not start');
      const { standIn, client, close } = project;
      return {
        parts: [
          { what: 'the stores go through supabase-js', value: 'createClient(url, key of service_role)' },
          { what: 'a stand-in for PostgREST (not Supabase itself)', value: standIn.url },
        ],
        stores: supabaseStores(await client('service_role')),
        close,
      };
    },
  });
}
