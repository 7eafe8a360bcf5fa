import { type CallContext, isPlayable, MedzenError, type ObjectStore, type Recording } from '@medzen/core';
import { refuse } from './audited.ts';
import { type Gate, maySee, recordingFor } from './authorise.ts';
import { checkWhole } from './check-input.ts';
import type { LinkOptions, RecordingLink } from './recordings.ts';
import { about, duration, seal } from './room.ts';
import { type ObjectStores, storeOf } from './storage/object-stores.ts';

/** Dependencies of links: without provider, rules or calendar. */
export type LinkRoom = Gate & { readonly objects: ObjectStores<LinkStore> };

/** The part of an object store that links use. */
export type LinkStore = Pick<ObjectStore, 'presignGet' | 'location'>;

/** The two ways to get at a recording. */
export type LinkKind = 'view' | 'download';

/** Seconds; both the default and the most. */
const lifetime: Readonly<Record<LinkKind, number>> = { view: 3600, download: 300 };

/**
 * See `Recordings.playbackUrl` and `downloadUrl`. The order is the promise: right, state, durable event, and only then a link. While the bytes
 * exist, role and participation decide, not the state (45 CFR 164.524): in the grace, under a hold, and while a deletion has removed nothing.
 */
export async function link(
  room: LinkRoom,
  kind: LinkKind,
  id: string,
  ctx: CallContext,
  options: LinkOptions = {},
): Promise<RecordingLink> {
  const expiresInSeconds = options.expiresInSeconds ?? lifetime[kind];
  checkWhole(expiresInSeconds, 1, lifetime[kind], '/expiresInSeconds');
  const what = { action: kind === 'view' ? 'recording.view' : 'recording.download', kind: 'read' } as const;
  const recording = await recordingFor(room, id, ctx, what, maySee(room, ctx));
  if (!isPlayable(recording) || recording.object === undefined) return refuseState(room, ctx, what, recording);
  // Before the access is counted: no link can come of it.
  const objects = storeOf(room, recording);
  const event = seal(room, ctx, {
    ...what,
    outcome: 'success',
    ...about(recording),
    detail: { seconds: expiresInSeconds, bytes: recording.object.size, ...duration(recording) },
  });
  const noted = await room.stores.recordings.noteAccess(ctx.scope, id, kind, event);
  if (noted.status === 'not_found') throw new MedzenError('not_found', 'No such recording');
  const { object } = noted.recording;
  if (noted.status === 'not_available' || object === undefined) return refuseState(room, ctx, what, noted.recording);
  const { url, expiresAt } = await objects.presignGet(object.key, {
    versionId: object.versionId,
    expiresInSeconds,
    contentDisposition: contentDisposition(kind, recording.id, object.contentType),
    contentType: object.contentType,
  });
  return { url, expiresAt, contentType: object.contentType, size: object.size };
}

function refuseState(
  room: LinkRoom,
  ctx: CallContext,
  what: { readonly action: string; readonly kind: 'read' },
  recording: Recording,
): Promise<never> {
  const { state } = recording;
  const error =
    state === 'deleted'
      ? new MedzenError('gone', 'The recording was deleted after its retention ended')
      : new MedzenError('not_available', 'The recording cannot be played in its present state', { detail: { state } });
  return refuse(room, ctx, { ...what, outcome: 'failed', ...about(recording), detail: { state } }, error);
}

const extensions: Readonly<Record<string, string>> = {
  'video/mp4': 'mp4',
  'video/webm': 'webm',
  'video/x-matroska': 'mkv',
  'audio/mp4': 'm4a',
  'audio/mpeg': 'mp3',
  'audio/webm': 'webm',
  'audio/x-matroska': 'mka',
};

/**
 * A file name that tells nothing: the end of the id, which is random, not its beginning, which is the time. Both forms of the
 * parameter, since clients differ in which they read.
 *
 * @see RFC 6266 §4.3, RFC 5987
 */
function contentDisposition(kind: LinkKind, id: string, contentType: string): string {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  const name = `recording-${id.slice(-12)}.${extensions[type] ?? 'bin'}`;
  return `${kind === 'view' ? 'inline' : 'attachment'}; filename="${name}"; filename*=UTF-8''${name}`;
}
