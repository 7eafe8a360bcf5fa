import { MedzenError, type ProviderMedia, type Recording } from '@medzen/core';
import type { Provider, ProviderMediaStream } from '@medzen/recording';
import {
  type Composition,
  capturedSeconds,
  capturing,
  handedOut,
  holdsMedia,
  mediaOfComposition,
  type ProviderRoom,
  type ProviderWorld,
} from './provider-world.ts';
import type { Scheduler } from './scheduler.ts';

/** What the provider says when it is asked about a recording. */
type SimAnswer = { readonly startedAt?: string; readonly endedAt?: string } & (
  | { readonly status: 'running' | 'processing' | 'expired' | 'unknown' }
  | { readonly status: 'ended' | 'none'; readonly sessionOpen: boolean }
  | { readonly status: 'media'; readonly media: ProviderMedia; readonly durationSeconds?: number }
  | { readonly status: 'failed'; readonly code: string }
);

/** How the media is streamed. */
export interface StreamHabits {
  readonly scheduler: Scheduler;
  /** Milliseconds that pass before each chunk. */
  readonly chunkMs: () => number;
  /** Milliseconds by which the provider's clock is ahead. */
  readonly skew: () => number;
}

/**
 * The provider as an application sees it: honest answers about the world. What goes wrong on the way is injected outside of it.
 *
 * @param asked - whether media is made only when it is asked for
 */
export function simProvider(name: string, world: ProviderWorld, habits: StreamHabits, asked: boolean): Provider {
  const roomOf = ({ providerRef }: Recording): ProviderRoom | undefined => world.room(name, providerRef);
  const instant = (ms: number): string => new Date(ms + habits.skew()).toISOString();
  const provider = {
    name,
    verify: () => ({ ok: false, reason: 'signature_missing' }) as const,
    start: async (recording: Recording) => {
      const room = roomOf(recording);
      if (room === undefined || !room.live) throw new MedzenError('not_available', 'No such room is in progress');
      world.setRule(room, true);
      room.capturedFor.add(recording.id);
    },
    stop: async (recording: Recording) => {
      const room = roomOf(recording);
      if (room === undefined) return;
      world.setRule(room, false);
    },
    media: async (recording: Recording) => openMedia(roomOf(recording), recording, habits),
    discard: async (recording: Recording) => {
      const room = roomOf(recording);
      if (room !== undefined) world.discard(room);
      return {};
    },
    look: async (recording: Recording): Promise<SimAnswer> => look(roomOf(recording), instant),
  };
  if (!asked) return provider;
  return {
    ...provider,
    compose: async (recording, order) => {
      const room = roomOf(recording);
      if (room?.live === true) return 'later';
      if (room?.compositions.some(({ status }) => status !== 'failed') === true) return 'begun';
      if (room === undefined || room.segments.length === 0)
        throw new MedzenError('not_available', 'There is nothing to make it from');
      if (!(await order.mayBegin())) return 'begun';
      if (!room.compositions.some(({ status }) => status !== 'failed')) world.compose(room);
      return 'begun';
    },
  };
}

function look(room: ProviderRoom | undefined, instant: (ms: number) => string): SimAnswer {
  if (room === undefined) return { status: 'unknown' };
  const times = {
    startedAt: instant(room.openedAt),
    ...(room.endedAt === undefined ? {} : { endedAt: instant(room.endedAt) }),
  };
  if (capturing(room)) return { status: 'running', ...times };
  const ready = room.compositions.find(({ status }) => status === 'ready');
  if (ready !== undefined) {
    const media = mediaOfComposition(room, ready);
    return { status: 'media', media, durationSeconds: ready.durationSeconds, ...times };
  }
  if (room.lost) return { status: 'expired', ...times };
  if (room.compositions.some(({ status }) => status === 'processing')) return { status: 'processing', ...times };
  // What failed to be made can be made again from what was captured.
  if (holdsMedia(room)) return { status: 'ended', sessionOpen: room.live, ...times };
  if (room.compositions.length > 0) return { status: 'failed', code: 'composition_failed', ...times };
  if (room.captures > 0) return { status: 'expired', ...times };
  return { status: 'none', sessionOpen: room.live, ...times };
}

function openMedia(room: ProviderRoom | undefined, recording: Recording, habits: StreamHabits): ProviderMediaStream {
  const composition = room?.compositions.find(({ ref }) => ref === recording.media?.ref);
  if (room === undefined || composition?.status !== 'ready')
    throw new MedzenError('not_available', 'The provider no longer has this media');
  return {
    body: streamOf(room, composition, habits),
    contentType: 'video/mp4',
    durationSeconds: composition.durationSeconds,
    capturedSeconds: capturedSeconds(room, habits.scheduler.now()),
    ...(room.sized ? { size: composition.bytes.length } : {}),
  };
}

function streamOf(room: ProviderRoom, composition: Composition, habits: StreamHabits): ReadableStream<Uint8Array> {
  const bytes = handedOut(room, composition);
  // Half an hour of something every minute, where it is large.
  const [parts, pause] = room.large ? [40, 45_000] : [3, 0];
  const chunk = Math.max(1, Math.ceil(bytes.length / parts));
  let sent = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const wait = habits.chunkMs() + pause;
        if (wait > 0) await habits.scheduler.sleep(wait);
        if (sent < bytes.length) controller.enqueue(bytes.slice(sent, sent + chunk));
        sent += chunk;
        if (sent >= bytes.length) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
