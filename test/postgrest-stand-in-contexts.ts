import { supabaseStores } from '@medzen/adapters-supabase';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { SignJWT } from 'jose';
import { freshDatabase } from './postgres.ts';
import { type PostgrestOptions, type PostgrestStandIn, startPostgrest } from './postgrest-stand-in.ts';
import { severableProxy } from './severable-proxy.ts';
import { type SqlContexts, sharedContext } from './sql-contexts.ts';
import { createSupabaseRoles } from './supabase-roles.ts';

/** A stand-in for PostgREST before one database, with Supabase's roles, and clients of the real supabase-js. */
export interface SupabaseProject {
  readonly standIn: PostgrestStandIn;
  /** A key of a role, as the dashboard shows them. */
  key(role: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** A client with the key of a role. */
  client(role: string, claims?: Readonly<Record<string, unknown>>): Promise<SupabaseClient>;
  close(): Promise<void>;
}

/**
 * Starts one.
 *
 * @param url - of the database, as its superuser
 * @param options - `databaseUrl` when the stand-in is to reach it by another address
 */
export async function supabaseProject(url: string, options: Partial<PostgrestOptions> = {}): Promise<SupabaseProject> {
  await createSupabaseRoles(url);
  const own = new URL(options.databaseUrl ?? url);
  own.username = 'authenticator';
  const jwtSecret = new TextEncoder().encode('a secret of this test run, of 32 bytes or more');
  const standIn = await startPostgrest({
    schemas: ['public', 'medzen', 'medzen_api'],
    ...options,
    jwtSecret,
    databaseUrl: own.href,
  });
  const key: SupabaseProject['key'] = (role, claims = {}) =>
    new SignJWT({ ...claims, role }).setProtectedHeader({ alg: 'HS256' }).setIssuedAt().sign(jwtSecret);
  return {
    standIn,
    key,
    client: async (role, claims) => supabaseClient(standIn.url, await key(role, claims)),
    close: () => standIn.close(),
  };
}

/** The real client, without a session of a person. */
export function supabaseClient(url: string, key: string): SupabaseClient {
  return createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });
}

/**
 * The context of each contract case, through the real supabase-js, the stand-in and a real Postgres that can be cut off. Each request
 * is a transaction of its own, so there is none of the host.
 */
export async function supabaseContexts(): Promise<SqlContexts> {
  const db = await freshDatabase({ test: true });
  const direct = new URL(db.url);
  const proxy = await severableProxy({ host: direct.hostname, port: Number(direct.port) });
  const url = new URL(db.url);
  url.port = String(proxy.port);
  const project = await supabaseProject(db.url, { databaseUrl: url.href });
  const client = await project.client('service_role');
  const owner = await db.connect();
  return {
    create: async () => ({
      ...(await sharedContext(owner)),
      stores: supabaseStores(client),
      async outage() {
        proxy.sever();
        return async () => proxy.mend();
      },
    }),
    async close() {
      await project.close();
      await db.drop();
      await proxy.close();
    },
  };
}
