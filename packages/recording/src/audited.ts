import { type AuditContext, type AuditFacts, MedzenError, type Stores } from '@medzen/core';
import { type Sealer, seal } from './room.ts';

/** Dependencies of writing an audit event. */
export type Witness = Sealer & { readonly stores: Pick<Stores, 'audit'> };

/**
 * Writes events that must be durable whatever the host's transaction does: reads before they answer, refusals, failures. While the
 * audit store is down this throws, and so nothing is told.
 */
export async function witness(room: Witness, ctx: AuditContext, events: readonly AuditFacts[]): Promise<void> {
  const { status } = await room.stores.audit.append(
    ctx.scope,
    events.map((facts) => seal(room, ctx, facts)),
    { durability: 'independent' },
  );
  // A store that cannot promise it must not pass for one that can.
  if (status !== 'durable') throw new MedzenError('store_unavailable', 'An audit event could not be made durable');
}

/**
 * Refuses: the refusal is durable before it is thrown.
 *
 * @throws MedzenError always: `error`, or `store_unavailable` when the refusal could not be written down
 */
export async function refuse(
  room: Witness,
  ctx: AuditContext,
  facts: Omit<AuditFacts, 'outcome'> & { readonly outcome?: 'denied' | 'failed' },
  error: MedzenError,
): Promise<never> {
  const detail = { ...facts.detail, code: error.code };
  await witness(room, ctx, [{ ...facts, outcome: facts.outcome ?? 'denied', detail }]);
  throw error.asAudited();
}
