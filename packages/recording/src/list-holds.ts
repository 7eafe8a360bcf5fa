import type { AuditFacts, CallContext, HoldQuery, LegalHold } from '@medzen/core';
import { MedzenError } from '@medzen/core';
import { refuse, witness } from './audited.ts';
import { hasRole, sameTenant } from './authorise.ts';
import { checkText, checkWhole } from './check-input.ts';
import type { Room } from './room.ts';

const what = { action: 'hold.list', kind: 'read' } as const;

/** See `Recordings.legalHold.list`. One event for each patient on the page, so that an access report finds it under that patient. */
export async function listHolds(
  room: Room,
  query: HoldQuery,
  ctx: CallContext,
): Promise<{ readonly holds: readonly LegalHold[]; readonly cursor?: string }> {
  sameTenant(ctx);
  if (query.patient !== undefined) checkText(query.patient, '/patient');
  if (query.matter !== undefined) checkText(query.matter, '/matter');
  if (query.limit !== undefined) checkWhole(query.limit, 1, 1000, '/limit');
  const asked = query.patient === undefined ? {} : { patient: query.patient };
  if (!hasRole(ctx, room.roles.hold))
    await refuse(room, ctx, { ...what, ...asked }, new MedzenError('forbidden', 'Your role may not list legal holds'));
  const page = await room.stores.recordings.listHolds(ctx.scope, query);
  const counts = new Map<string | undefined, number>();
  for (const { target } of page.holds) {
    const patient = 'patient' in target ? target.patient : query.patient;
    counts.set(patient, (counts.get(patient) ?? 0) + 1);
  }
  if (counts.size === 0) counts.set(query.patient, 0);
  const events = [...counts].map(
    ([patient, count]): AuditFacts => ({
      ...what,
      outcome: 'success',
      ...(patient === undefined ? {} : { patient }),
      detail: { count },
    }),
  );
  await witness(room, ctx, events);
  return page;
}
