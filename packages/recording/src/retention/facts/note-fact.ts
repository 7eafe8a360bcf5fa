import { type CallContext, isUuid, MedzenError, type RetentionFact } from '@medzen/core';
import { refuse } from '../../audited.ts';
import { hasRole, sameTenant } from '../../authorise.ts';
import { checkReason, checkText } from '../../check-input.ts';
import type { FactInput } from '../../recordings.ts';
import { type Room, seal } from '../../room.ts';

const types: ReadonlySet<string> = new Set<RetentionFact['type']>([
  'treatment',
  'discharge',
  'therapy_ended',
  'birth',
  'death',
  'claim_opened',
  'claim_closed',
  'void',
]);

/** See `Recordings.noteFact`. */
export async function noteFact(
  room: Room,
  input: FactInput,
  ctx: CallContext,
): Promise<{ readonly id: string; readonly revision: number }> {
  sameTenant(ctx);
  checkText(input.patient, '/patient');
  checkText(input.zone, '/zone', 64);
  if (!types.has(input.type))
    throw new MedzenError('invalid_input', `type must be one of ${[...types].join(', ')}`, { pointers: ['/type'] });
  for (const field of ['id', 'voids'] as const)
    if (input[field] !== undefined && !isUuid(input[field]))
      throw new MedzenError('invalid_input', `${field} must be a UUID`, { pointers: [`/${field}`] });
  const { patient, type, date, zone, voids, reason } = input;
  const fact: RetentionFact = {
    id: input.id ?? room.ids.uuid(),
    patient,
    type,
    date,
    zone,
    ...(voids === undefined ? {} : { voids }),
  };
  room.retention.check(fact, room.clock.now());
  const what = {
    action: 'retention.fact',
    kind: 'create',
    patient,
    target: { type: 'retention_fact', id: fact.id },
  } as const;
  // To take a fact back can end a duty, so it is not left to everyone who may note one.
  const [roles, deed] =
    voids === undefined ? [room.roles.noteFacts, 'note'] : ([room.roles.correctFacts, 'correct'] as const);
  if (!hasRole(ctx, roles))
    await refuse(room, ctx, what, new MedzenError('forbidden', `Your role may not ${deed} retention facts`));
  if (voids !== undefined) checkReason(reason ?? '');
  const { revision } = await room.stores.recordings.noteFact(
    ctx.scope,
    fact,
    seal(room, ctx, {
      ...what,
      outcome: 'success',
      ...(voids === undefined || reason === undefined ? {} : { reason }),
      // A birth date is PHI, so the event names the kind of fact and its day only where the day is one of care.
      detail: {
        type,
        ...(type === 'birth' ? {} : { date }),
        ...(voids === undefined ? {} : { voids }),
      },
    }),
  );
  return { id: fact.id, revision };
}
