import { type SqlStores, type SqlStoresOptions, sqlStores } from '@medzen/sql';
import type { SupabaseClientLike } from './supabase-client.ts';
import { type SupabaseWireOptions, supabaseWire } from './supabase-wire.ts';

/** Options of the stores: those of the wire, and a signal that ends the calls. */
export interface SupabaseStoresOptions extends SupabaseWireOptions, SqlStoresOptions {}

/**
 * Every store, through supabase-js. `checkInstallation` takes them. The ledger is checked once, before the first call.
 *
 * @param client - made with a key of `service_role`, which must stay on the server
 * @param options - name of the schema; a signal that ends the calls, such as a request's
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
export function supabaseStores(client: SupabaseClientLike, options: SupabaseStoresOptions = {}): SqlStores {
  const { signal, ...wire } = options;
  return sqlStores(supabaseWire(client, wire), signal === undefined ? {} : { signal });
}
