import type { CallContext } from '../context.ts';
import type { Scope } from '../scope.ts';
import type { AuditEventDraft } from './audit-event.ts';

/** The facts of an event. Actor and source come from the call's context; values given here override it. */
export type AuditFacts = Omit<AuditEventDraft, 'tenant' | 'actor' | 'source'> &
  Partial<Pick<AuditEventDraft, 'actor' | 'source'>>;

/** A {@link CallContext}, or just the tenant for facts that bring their own actor and source. */
export type AuditContext = { readonly scope: Scope } & Partial<CallContext>;

/**
 * Joins what happened with who did it, from where and why. One mapping for every package, so that the same caller looks the
 * same in every event: roles are joined by a comma, and a purpose left out is `TREAT` where a patient is concerned.
 *
 * @param facts - the happening; its own `actor`, `source`, `purpose` and `reason` win
 * @param ctx - the caller
 * @returns a draft for `sealEvent`, of the context's tenant
 * @throws MedzenError never; `sealEvent` refuses what is incomplete
 * @example
 * ```ts
 * import { draftEvent, sealEvent } from '@medzen/core';
 * const event = sealEvent(draftEvent(
 *   { action: 'recording.view', kind: 'read', outcome: 'success', patient: 'p1' },
 *   {
 *     scope: { tenant: 'default' },
 *     actor: { id: 'u1', type: 'user', roles: ['provider'], tenant: 'default' },
 *     source: { ip: '192.0.2.7' },
 *   },
 * ));
 * event.body.length < 65_536;
 * ```
 */
export function draftEvent(facts: AuditFacts, ctx: AuditContext): AuditEventDraft {
  const { actor, source, purpose, reason, ...rest } = facts;
  const why = purpose ?? ctx.purpose ?? (facts.patient === undefined ? undefined : 'TREAT');
  const because = reason ?? ctx.reason;
  return {
    ...rest,
    tenant: ctx.scope.tenant,
    actor: actor ?? (ctx.actor === undefined ? { id: '', type: 'system' } : auditActor(ctx.actor)),
    source: source ?? ctx.source ?? {},
    ...(why === undefined ? {} : { purpose: why }),
    ...(because === undefined ? {} : { reason: because }),
  };
}

function auditActor(actor: NonNullable<CallContext['actor']>): AuditEventDraft['actor'] {
  const { id, type, roles } = actor;
  return roles.length === 0 ? { id, type } : { id, type, role: roles.join(',') };
}
