import {
  type CallContext,
  type Clock,
  createIds,
  type Ids,
  type Random,
  type Stores,
  systemClock,
  systemRandom,
} from '@medzen/core';
import { type LinkRoom, type LinkStore, link } from './links.ts';
import type { LinkOptions, RecordingLink } from './recordings.ts';
import { defaultRoles, type RecordingRoles } from './roles.ts';
import { objectStores } from './storage/object-stores.ts';

export type { LinkStore } from './links.ts';
export type { LinkOptions, RecordingLink } from './recordings.ts';

/** Dependencies of `createPlayback`. */
export interface PlaybackDeps {
  readonly stores: Pick<Stores, 'recordings' | 'audit'>;
  /** The store of the recordings, or all of them when they lie in several. */
  readonly objects: LinkStore | readonly LinkStore[];
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
  const { stores, clock = systemClock, random = systemRandom } = deps;
  const roles = { ...defaultRoles, ...deps.roles };
  const objects = objectStores(deps.objects);
  const room: LinkRoom = { stores, objects, roles, clock, random, ids: deps.ids ?? createIds(clock, random) };
  return {
    playbackUrl: (id, ctx, options) => link(room, 'view', id, ctx, options),
    downloadUrl: (id, ctx, options) => link(room, 'download', id, ctx, options),
  };
}
