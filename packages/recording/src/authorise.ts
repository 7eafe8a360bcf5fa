import { type AuditFacts, type CallContext, isUuid, MedzenError, type Recording, type Stores } from '@medzen/core';
import { refuse, type Witness } from './audited.ts';
import type { RecordingRoles } from './roles.ts';
import { about } from './room.ts';

/** Dependencies of an access check. */
export type Gate = Witness & {
  readonly stores: Pick<Stores, 'audit' | 'recordings'>;
  readonly roles: RecordingRoles;
};

/** Checks whether the caller has one of the roles. */
export function hasRole(ctx: CallContext, roles: readonly string[]): boolean {
  return ctx.actor.roles.some((role) => roles.includes(role));
}

/** Checks whether the caller took part in the session. */
export function takesPart(recording: Pick<Recording, 'participants'>, ctx: CallContext): boolean {
  return recording.participants.some(({ id }) => id === ctx.actor.id);
}

/**
 * Reads a recording on behalf of a caller. One of another tenant does not exist for it; one it may not touch answers `forbidden`, and
 * the attempt is audited.
 *
 * @throws MedzenError `not_found`, `forbidden`
 */
export async function recordingFor(
  room: Gate,
  id: string,
  ctx: CallContext,
  what: Pick<AuditFacts, 'action' | 'kind'>,
  allowed: (recording: Recording) => boolean,
): Promise<Recording> {
  sameTenant(ctx);
  const recording = isUuid(id) ? await room.stores.recordings.get(ctx.scope, id) : undefined;
  if (recording === undefined) throw new MedzenError('not_found', 'No such recording');
  if (allowed(recording)) return recording;
  return refuse(
    room,
    ctx,
    { ...what, ...about(recording) },
    new MedzenError('forbidden', 'Not allowed to access this recording'),
  );
}

/** Participants, and those who may see all. */
export function maySee(room: Pick<Gate, 'roles'>, ctx: CallContext): (recording: Recording) => boolean {
  return (recording) => takesPart(recording, ctx) || hasRole(ctx, room.roles.seeAll);
}

/**
 * An identity of one tenant has no business in another's, whatever its roles there.
 *
 * @throws MedzenError `not_found`: not even that the other tenant exists is told
 */
export function sameTenant(ctx: CallContext): void {
  if (ctx.actor.tenant !== ctx.scope.tenant) throw new MedzenError('not_found', 'No such recording');
}
