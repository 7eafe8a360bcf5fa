import type { CallContext, Recording, RecordingQuery } from '@medzen/core';
import { witness } from './audited.ts';
import { hasRole, maySee, recordingFor, sameTenant } from './authorise.ts';
import { checkText, checkWhole } from './check-input.ts';
import { about, type Room } from './room.ts';

/** See `Recordings.status`. */
export async function status(room: Room, id: string, ctx: CallContext): Promise<Recording> {
  const what = { action: 'recording.status', kind: 'read' } as const;
  const recording = await recordingFor(room, id, ctx, what, maySee(room, ctx));
  await witness(room, ctx, [{ ...what, outcome: 'success', ...about(recording), detail: { state: recording.state } }]);
  return recording;
}

/**
 * See `Recordings.list`. One event for each patient on the page, so that an access report finds it under that patient.
 */
export async function list(
  room: Room,
  query: RecordingQuery,
  ctx: CallContext,
): Promise<{ readonly recordings: readonly Recording[]; readonly cursor?: string }> {
  sameTenant(ctx);
  for (const field of ['sessionId', 'patient', 'participant'] as const) {
    const value = query[field];
    if (value !== undefined) checkText(value, `/${field}`);
  }
  if (query.limit !== undefined) checkWhole(query.limit, 1, 200, '/limit');
  const narrowed = hasRole(ctx, room.roles.seeAll) ? query : { ...query, participant: ctx.actor.id };
  const page = await room.stores.recordings.list(ctx.scope, narrowed);
  const counts = new Map<string | undefined, number>();
  for (const { patient } of page.recordings) counts.set(patient, (counts.get(patient) ?? 0) + 1);
  if (counts.size === 0) counts.set(query.patient, 0);
  await witness(
    room,
    ctx,
    [...counts].map(([patient, count]) => ({
      action: 'recording.list',
      kind: 'read',
      outcome: 'success',
      ...(patient === undefined ? {} : { patient }),
      detail: { count },
    })),
  );
  return page;
}
