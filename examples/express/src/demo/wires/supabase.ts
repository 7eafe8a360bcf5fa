import { supabaseStores } from '@medzen/adapters-supabase';
import { type SupabaseProject, supabaseProject } from '../../../../../test/postgrest-stand-in-contexts.ts';
import type { DemoDatabase } from '../demo-database.ts';
import { openServer } from './server.ts';

/** The host's own function: its row and the event, in one transaction. The event names the person of the token, never an argument. */
const admitPatient = `
ALTER TABLE public.patient ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION public.admit_patient(p_id text, p_name text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_event text := medzen.record_event('patient.create', 'create',
    p_patient => p_id, p_target_type => 'patient', p_target_id => p_id);
BEGIN
  INSERT INTO public.patient (id, name) VALUES (p_id, p_name);
  RETURN v_event;
END
$$;
REVOKE EXECUTE ON FUNCTION public.admit_patient FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.admit_patient TO authenticated;`;

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
    connect: async (_service, owner) => {
      if (project === undefined) throw new Error('The stand-in did not start');
      const { standIn, client, close } = project;
      await owner.query(admitPatient); // a file in supabase/migrations
      return {
        parts: [
          { what: 'the stores go through supabase-js', value: 'createClient(url, key of service_role)' },
          { what: 'a stand-in for PostgREST (not Supabase itself)', value: standIn.url },
        ],
        stores: supabaseStores(await client('service_role')),
        admit: async ({ id: sub, tenant, roles }, patient, name) => {
          const person = await client('authenticated', { sub, app_metadata: { tenant, roles } });
          const { data, error } = await person.rpc('admit_patient', { p_id: patient, p_name: name });
          if (error !== null) throw new Error(error.code);
          return String(data);
        },
        close,
      };
    },
  });
}
