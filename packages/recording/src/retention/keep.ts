import { type CallContext, type KeepUntil, MedzenError, type Recording } from '@medzen/core';
import { refuse } from '../audited.ts';
import { hasRole, recordingFor } from '../authorise.ts';
import { checkReason } from '../check-input.ts';
import { about, type Room, seal } from '../room.ts';

const years = 100;

/**
 * Checks a floor that a caller gave, and writes its instant as the stores do.
 *
 * @throws MedzenError `invalid_input`
 */
export function checkKeep({ until, reason }: KeepUntil, now: Date): KeepUntil {
  const at =
    typeof until === 'string' && /^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/.test(until) ? new Date(until) : undefined;
  const last = new Date(now);
  last.setUTCFullYear(last.getUTCFullYear() + years);
  if (at === undefined || Number.isNaN(at.getTime()) || at < now || at > last)
    throw new MedzenError(
      'invalid_input',
      `keepUntil.until must be an RFC 3339 instant from now to ${years} years on; to keep longer, extend it later`,
      { pointers: ['/keepUntil/until'] },
    );
  checkReason(reason);
  return { until: at.toISOString(), reason };
}

/** See `Recordings.keepUntil`. */
export async function keepUntil(room: Room, id: string, input: KeepUntil, ctx: CallContext): Promise<Recording> {
  const what = { action: 'retention.keep', kind: 'update' } as const;
  const keep = checkKeep(input, room.clock.now());
  const recording = await recordingFor(room, id, ctx, what, () => hasRole(ctx, room.roles.keepLonger));
  const facts = { ...what, ...about(recording), reason: keep.reason, detail: { until: keep.until } };
  const event = seal(room, ctx, { ...facts, outcome: 'success' });
  const result = await room.stores.recordings.extendKeep(ctx.scope, id, keep, event);
  switch (result.status) {
    case 'extended':
    case 'repeated':
      return result.recording;
    case 'not_found':
      throw new MedzenError('not_found', 'No such recording');
    case 'shorter':
      return refuse(
        room,
        ctx,
        { ...facts, outcome: 'failed' },
        new MedzenError('conflict', 'keepUntil.until must not be before the present floor; a floor only moves later', {
          detail: { until: result.recording.keepUntil?.until },
        }),
      );
    case 'too_late':
      return refuse(
        room,
        ctx,
        { ...facts, outcome: 'failed' },
        new MedzenError('too_late', 'Some of it was deleted already: a floor can no longer stop that'),
      );
  }
}
