import { type CallContext, canonicalize, draftEvent, openEvent, sealEvent } from '@medzen/core';
import { checkedSchema } from './schema-name.ts';

/** A statement for any driver: `$1` and `$2` in `text` stand for `values`. */
export interface ActorSettings {
  readonly text: string;
  readonly values: [actor: string, context: string];
}

/**
 * Writes the statement that tells Postgres who acts, for the rest of the transaction: triggers of `audit_table`, policies and
 * `current_subject()` go by it. It sets `medzen.actor` (the subject) and `medzen.context` (tenant, actor, source, purpose, reason), both
 * local to the transaction, so that the next user of a pooled connection finds neither. Outside a transaction it does nothing.
 *
 * The caller is the host's own code: code that may send any SQL may also send this. Claims that PostgREST has verified go before it.
 *
 * @param ctx - the caller
 * @param options - `schema`: as installed; `medzen` when absent
 * @returns the statement, to be run inside the transaction, before its changes
 * @throws MedzenError `invalid_input` for a caller of whom no event can be made (no id, break-glass without a reason);
 * `invalid_configuration` for a schema's name that is not a plain one
 * @see https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-SET
 * @example
 * ```ts
 * import type { CallContext } from '@medzen/core';
 * import { actorSettings } from '@medzen/sql';
 * import type { PoolClient } from 'pg';
 * async function rename(client: PoolClient, ctx: CallContext, id: string, name: string): Promise<void> {
 *   await client.query('BEGIN');
 *   await client.query(actorSettings(ctx));
 *   await client.query('UPDATE patient SET name = $2 WHERE id = $1', [id, name]);
 *   await client.query('COMMIT');
 * }
 * ```
 */
export function actorSettings(ctx: CallContext, options: { readonly schema?: string } = {}): ActorSettings {
  const schema = checkedSchema(options.schema ?? 'medzen');
  // By way of an event, so that a trigger's says the same as one of the library's, and what no event can say is refused here.
  const draft = draftEvent({ action: 'table.write', kind: 'update', outcome: 'success' }, ctx);
  const { tenant = ctx.scope.tenant, actor, source, purpose, reason } = openEvent(sealEvent(draft).body);
  const context = {
    tenant,
    actor,
    source,
    ...(purpose === undefined ? {} : { purpose }),
    ...(reason === undefined ? {} : { reason }),
  };
  return {
    text: `SELECT set_config('${schema}.actor', $1, true) AS actor, set_config('${schema}.context', $2, true) AS context`,
    values: [actor.id, canonicalize(context)],
  };
}
