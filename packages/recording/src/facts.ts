import { type CallContext, isUuid, MedzenError, type RetentionFact } from '@medzen/core';
import { refuse } from './audited.ts';
import { hasRole, sameTenant } from './authorise.ts';
import { checkText } from './check-input.ts';
import type { FactInput } from './recordings.ts';
import { type Room, seal } from './room.ts';

const types: ReadonlySet<string> = new Set<RetentionFact['type']>([
  'treatment',
  'discharge',
  'therapy_ended',
  'birth',
  'death',
  'claim_opened',
  'claim_closed',
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
  if (!types.has(input.type)) throw new MedzenError('invalid_input', 'Not a kind of fact', { pointers: ['/type'] });
  if (input.id !== undefined && !isUuid(input.id))
    throw new MedzenError('invalid_input', 'Not a UUID', { pointers: ['/id'] });
  const { patient, type, date, zone } = input;
  const fact: RetentionFact = { id: input.id ?? room.ids.uuid(), patient, type, date, zone };
  room.retention.check(fact);
  const what = {
    action: 'retention.fact',
    kind: 'create',
    patient,
    target: { type: 'retention_fact', id: fact.id },
  } as const;
  if (!hasRole(ctx, room.roles.noteFacts))
    await refuse(room, ctx, what, new MedzenError('forbidden', 'Not allowed to note retention facts'));
  // A birth date is PHI, so the event names the kind of fact and its day only where the day is one of care.
  const detail = type === 'birth' ? { type } : { type, date };
  const { revision } = await room.stores.recordings.noteFact(
    ctx.scope,
    fact,
    seal(room, ctx, { ...what, outcome: 'success', detail }),
  );
  return { id: fact.id, revision };
}
