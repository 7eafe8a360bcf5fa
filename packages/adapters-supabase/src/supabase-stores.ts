import type { Stores } from '@medzen/core';
import { sqlStores } from '@medzen/sql';
import type { SupabaseClientLike } from './supabase-client.ts';
import { type SupabaseWireOptions, supabaseWire } from './supabase-wire.ts';

/**
 * Every store, through supabase-js. The ledger is checked once, before the first call.
 *
 * @param client - made with a key of `service_role`, which must stay on the server
 * @param options - name of the schema
 * @throws MedzenError `invalid_configuration` when the name of the schema is none
 * @example
 * ```ts
 * import { supabaseStores } from '@medzen/adapters-supabase';
 * import { createClient } from '@supabase/supabase-js';
 * const client = createClient('https://clinic.supabase.co', '<service role key>', { auth: { persistSession: false } });
 * const stores = supabaseStores(client);
 * const { events } = await stores.audit.search({ tenant: 'default' }, { patient: 'p1' });
 * ```
 */
export function supabaseStores(client: SupabaseClientLike, options: SupabaseWireOptions = {}): Stores {
  return sqlStores(supabaseWire(client, options));
}
