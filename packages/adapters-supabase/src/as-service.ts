import {
  type AuditContext,
  draftEvent,
  MedzenError,
  type SealDeps,
  type Stores,
  sealEvent,
  type Wire,
} from '@medzen/core';
import { sqlStores } from '@medzen/sql';
import type { SupabaseClientLike } from './supabase-client.ts';
import { supabaseWire } from './supabase-wire.ts';

/** Options of `asService`. */
export interface AsServiceOptions extends SealDeps {
  /** Made with a key of `service_role`, which must stay on the server. */
  readonly client: SupabaseClientLike;
  /** Name of the service, 1–256 characters: `playback`, `twilio-webhook`. It is the actor of the event. */
  readonly service: string;
  /**
   * The tenant; and, where a person asked for it, the context that the guard made, whose actor becomes `onBehalfOf`.
   */
  readonly ctx: AuditContext;
  /** Name of Medzen's schema; `medzen` when absent. */
  readonly schema?: string;
  /** Made once from the same client, by `supabaseStores`. Absent: made anew, which checks the ledger with a request of its own each time. */
  readonly stores?: Stores;
}

/** What a service works with. Each of its operations writes its own event as well. */
export interface SupabaseService {
  readonly stores: Stores;
  readonly wire: Wire;
}

/**
 * Steps out of row level security, and says so first: an event `service.access` with the reason is durable before the stores are
 * handed out. Each call writes one, so call it once a request or a run of a job, not once a query. Without the event there are no
 * stores.
 *
 * @param reason - why a service does this and not the person: 1–2048 characters, no PHI
 * @param options - client, name and context
 * @throws MedzenError `invalid_input` for an empty reason or name; `store_unavailable`, `invalid_configuration` or
 * `migration_missing` when the event could not be written
 * @see 45 CFR 164.312(b)
 * @example
 * ```ts
 * import { asService } from '@medzen/adapters-supabase';
 * import { createClient } from '@supabase/supabase-js';
 * const client = createClient('https://clinic.supabase.co', 'sb_secret_…', { auth: { persistSession: false } });
 * const { stores } = await asService('links are signed with a key that people do not have', {
 *   client,
 *   service: 'playback',
 *   ctx: { scope: { tenant: 'default' } },
 * });
 * await stores.recordings.get({ tenant: 'default' }, '0197…');
 * ```
 */
export async function asService(reason: string, options: AsServiceOptions): Promise<SupabaseService> {
  const { client, service, ctx, schema } = options;
  if (reason.trim() === '')
    throw new MedzenError('invalid_input', 'reason must not be blank: say why the service acts without a user');
  if (service.trim() === '') throw new MedzenError('invalid_input', 'service must not be blank');
  const wire = supabaseWire(client, schema === undefined ? {} : { schema });
  const stores = options.stores ?? sqlStores(wire);
  const person = ctx.actor?.type === 'user' ? { onBehalfOf: ctx.actor.id } : {};
  const draft = draftEvent(
    {
      action: 'service.access',
      kind: 'execute',
      outcome: 'success',
      actor: { id: service, type: 'service', ...person },
      reason,
    },
    ctx,
  );
  const { status } = await stores.audit.append(ctx.scope, [sealEvent(draft, options)], { durability: 'independent' });
  if (status !== 'durable')
    throw new MedzenError('invalid_configuration', 'asService: the stores are inside a transaction that may roll back');
  return { stores, wire };
}
