import { type AuditFacts, type CallContext, isUuid, type LegalHold, MedzenError, type Recording } from '@medzen/core';
import { refuse, witness } from '../audited.ts';
import { hasRole, recordingFor, sameTenant } from '../authorise.ts';
import { checkReason, checkText } from '../check-input.ts';
import { listHolds } from '../list-holds.ts';
import type { HoldInput, PlacedHold, Recordings } from '../recordings.ts';
import { about, type Room, seal, timestamp } from '../room.ts';

/** Legal holds: placed, released, listed, and those on one recording. */
export function legalHold(room: Room): Recordings['legalHold'] {
  return {
    place: (input, ctx) => place(room, input, ctx),
    release: (holdId, ctx) => release(room, holdId, ctx),
    list: (query, ctx) => listHolds(room, query, ctx),
    on: async (recordingId, ctx) => {
      const what = { action: 'hold.list', kind: 'read' } as const;
      const recording = await recordingFor(room, recordingId, ctx, what, () => hasRole(ctx, room.roles.hold));
      const holds = await room.stores.recordings.holds(ctx.scope, recordingId);
      await witness(room, ctx, [{ ...what, outcome: 'success', ...about(recording), detail: { count: holds.length } }]);
      return holds;
    },
  };
}

const placing = { action: 'hold.place', kind: 'create' } as const;

async function place(room: Room, input: HoldInput, ctx: CallContext): Promise<PlacedHold> {
  sameTenant(ctx);
  checkText(input.matter, '/matter');
  checkReason(input.reason);
  if (input.id !== undefined && !isUuid(input.id))
    throw new MedzenError('invalid_input', 'id must be a UUID', { pointers: ['/id'] });
  const covered = await target(room, input.target, ctx);
  const hold: LegalHold = {
    id: input.id ?? room.ids.uuid(),
    target: input.target,
    matter: input.matter,
    reason: input.reason,
    placedBy: ctx.actor.id,
    placedAt: timestamp(room),
  };
  const event = seal(room, ctx, {
    ...placing,
    outcome: 'success',
    ...covered,
    reason: input.reason,
    detail: { hold: hold.id },
  });
  const result = await room.stores.recordings.placeHold(ctx.scope, hold, event);
  if (result.status === 'placed') {
    await nameBeyondRecall(room, ctx, { ...placing, patient: covered.patient }, result.tooLate, { hold: hold.id });
    return { ...hold, tooLate: result.tooLate };
  }
  if (result.status === 'not_found') throw new MedzenError('not_found', 'No such recording');
  return refuse(
    room,
    ctx,
    { ...placing, ...covered },
    new MedzenError('too_late', 'Some of it was deleted already: a hold can no longer stop it', {
      detail: { recordingIds: result.recordingIds },
    }),
  );
}

/** Records an event for each recording of the patient that is beyond recall, which the hold does not reach. */
export async function nameBeyondRecall(
  room: Room,
  ctx: CallContext,
  what: Pick<AuditFacts, 'action' | 'kind'> & { readonly patient: string | undefined },
  recordingIds: readonly string[],
  detail: Readonly<Record<string, string>>,
): Promise<void> {
  if (recordingIds.length === 0) return;
  await witness(
    room,
    ctx,
    recordingIds.map((id) => ({
      action: what.action,
      kind: what.kind,
      ...(what.patient === undefined ? {} : { patient: what.patient }),
      outcome: 'failed',
      target: { type: 'recording', id },
      detail: { ...detail, code: 'too_late' },
    })),
  );
}

async function target(room: Room, on: LegalHold['target'], ctx: CallContext): Promise<ReturnType<typeof about>> {
  const allowed = hasRole(ctx, room.roles.hold);
  if ('recordingId' in on === 'patient' in on)
    throw new MedzenError('invalid_input', 'Set exactly one of recordingId and patient', { pointers: ['/target'] });
  if ('recordingId' in on) {
    const recording: Recording = await recordingFor(room, on.recordingId, ctx, placing, () => allowed);
    return about(recording);
  }
  checkText(on.patient, '/target/patient');
  const covered = { patient: on.patient, target: { type: 'patient', id: on.patient } };
  if (!allowed)
    await refuse(room, ctx, { ...placing, ...covered }, new MedzenError('forbidden', 'Not allowed to place holds'));
  return covered;
}

async function release(room: Room, holdId: string, ctx: CallContext): Promise<void> {
  sameTenant(ctx);
  if (!isUuid(holdId)) throw new MedzenError('not_found', 'No such hold');
  const what = { action: 'hold.release', kind: 'update', target: { type: 'hold', id: holdId } } as const;
  if (!hasRole(ctx, room.roles.hold))
    await refuse(room, ctx, what, new MedzenError('forbidden', 'Not allowed to release holds'));
  const event = seal(room, ctx, { ...what, outcome: 'success' });
  const result = await room.stores.recordings.releaseHold(ctx.scope, holdId, ctx.actor.id, timestamp(room), event);
  if (result.status === 'not_found') throw new MedzenError('not_found', 'No such hold');
}
