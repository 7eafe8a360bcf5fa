import { asService, asUser, type SupabaseUser, supabaseObjects, supabaseStores } from '@medzen/adapters-supabase';
import { type AuditContext, isMedzenError, type ObjectStore, type RateLimitStore } from '@medzen/core';
import {
  createGuard,
  exactOrigins,
  firebase,
  type Guard,
  type GuardDeps,
  type IdentityAuth,
  type OriginList,
} from '@medzen/security';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import type { Settings } from './settings.ts';

/** The header of the app's tokens: `authorization` holds the project's key, which Supabase's gateway asks for. */
const header = 'x-firebase-token';

/** What the functions share: made once an isolate, from the settings alone. */
export interface Clinic {
  readonly settings: Settings;
  readonly guard: Guard<GuardDeps & { readonly limits: RateLimitStore }>;
  readonly auth: IdentityAuth;
  readonly cors: OriginList;
  readonly objects: ObjectStore;
  /** Whatever is asked through it, the person asks. */
  asPerson(request: Request): SupabaseUser<SupabaseClient>;
  /** Steps out of row level security, and says so in the log first. */
  asService(reason: string, service: string, ctx: AuditContext): ReturnType<typeof asService>;
}

export function createClinic(settings: Settings): Clinic {
  const { url, anonKey, serviceKey, patienceMs } = settings;
  const session = { persistSession: false, autoRefreshToken: false };
  const service = createClient(url, serviceKey, { auth: session });
  // For denials and counters; what reads PHI goes through asPerson or asService.
  const stores = supabaseStores(service);
  return {
    settings,
    guard: createGuard({
      audit: stores.audit,
      limits: stores.limits,
      limitSecret: settings.limitSecret,
      defaultTenant: settings.tenant,
      publicOrigin: settings.publicOrigin,
      ...(patienceMs === undefined ? {} : { limitDeadlineMs: patienceMs, auditDeadlineMs: patienceMs }),
      // Our own messages hold no PHI and no token; of others' that is not known.
      onError: (error, { route, requestId }) =>
        console.error(route, requestId, isMedzenError(error) ? `${error.code}: ${error.message}` : 'unknown error'),
    }),
    auth: firebase({
      projectId: settings.firebaseProject,
      header,
      ...(settings.firebaseKeys === undefined ? {} : { jwks: settings.firebaseKeys }),
    }),
    cors: exactOrigins(...settings.origins).with({
      // What supabase-js sends besides, and the header of tokens.
      allowHeaders: ['apikey', 'authorization', 'content-type', 'x-client-info', header],
    }),
    objects: supabaseObjects(service, { bucket: settings.bucket }),
    asPerson: (request) =>
      asUser(request, {
        url,
        key: anonKey,
        createClient: (...given) => createClient(...given),
        header,
      }),
    asService: (reason, name, ctx) => asService(reason, { client: service, service: name, ctx, stores }),
  };
}
