import {
  type CallContext,
  type Clock,
  createIds,
  type Ids,
  type ObjectStore,
  type Random,
  type Stores,
  systemClock,
  systemRandom,
} from '@medzen/core';
import { type LinkRoom, link } from './links.ts';
import type { LinkOptions, RecordingLink } from './recordings.ts';
import { defaultRoles, type RecordingRoles } from './roles.ts';

export type { LinkOptions, RecordingLink } from './recordings.ts';

/** What `createPlayback` is built from. */
export interface PlaybackDeps {
  readonly stores: Pick<Stores, 'recordings' | 'audit'>;
  readonly objects: Pick<ObjectStore, 'presignGet'>;
  /** Merged over `defaultRoles`; only `seeAll` is asked for. */
  readonly roles?: Partial<RecordingRoles>;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
}

/** The part of `Recordings` that hands out links. */
export interface Playback {
  /** See `Recordings.playbackUrl`. */
  playbackUrl(id: string, ctx: CallContext, options?: LinkOptions): Promise<RecordingLink>;
  /** See `Recordings.downloadUrl`. */
  downloadUrl(id: string, ctx: CallContext, options?: LinkOptions): Promise<RecordingLink>;
}

/**
 * Links to recordings, for a function at the edge that does nothing else: the same checks and the same events as `createRecordings`, without
 * providers, retention rules or calendar in the bundle.
 *
 * @example
 * ```ts
 * import type { CallContext, ObjectStore, Stores } from '@medzen/core';
 * import { createPlayback } from '@medzen/recording/playback';
 * declare const stores: Stores;
 * declare const objects: ObjectStore;
 * declare const ctx: CallContext;
 * const { url } = await createPlayback({ stores, objects }).playbackUrl('019aa7c4-…', ctx);
 * url.startsWith('https://');
 * ```
 */
export function createPlayback(deps: PlaybackDeps): Playback {
  const { stores, objects, clock = systemClock, random = systemRandom } = deps;
  const roles = { ...defaultRoles, ...deps.roles };
  const room: LinkRoom = { stores, objects, roles, clock, random, ids: deps.ids ?? createIds(clock, random) };
  return {
    playbackUrl: (id, ctx, options) => link(room, 'view', id, ctx, options),
    downloadUrl: (id, ctx, options) => link(room, 'download', id, ctx, options),
  };
}
