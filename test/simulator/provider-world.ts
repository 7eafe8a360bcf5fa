import type { ProviderMedia } from '@medzen/core';
import type { ProviderEvent } from '@medzen/recording';
import { sampleMp4 } from '@medzen/testing/twilio-server';
import type { Scheduler } from './scheduler.ts';

/** What was captured in a room without a break. */
interface Segment {
  readonly from: number;
  to?: number;
}

/** What the provider makes of a room's segments. */
export interface Composition {
  readonly ref: string;
  status: 'processing' | 'ready' | 'failed';
  /** Seconds. */
  durationSeconds: number;
  bytes: Uint8Array;
}

/** How the media of a room comes out when it is fetched. */
export type MediaFault = 'none' | 'empty' | 'page' | 'cut' | 'short';

/** A room of the provider, as it really is. */
export interface ProviderRoom {
  readonly provider: string;
  readonly ref: string;
  readonly openedAt: number;
  endedAt?: number;
  live: boolean;
  /** Everything that happens in it is captured. */
  rule: boolean;
  segments: Segment[];
  compositions: Composition[];
  /** Every media that was ever made of it, also what the provider no longer has: somebody may still be fetching it. */
  readonly made: Uint8Array[];
  /** The provider has removed it by its own rules: a loss that nobody here can help. */
  lost: boolean;
  /** What is wrong with the media as it is handed out; healed by `heal`. */
  mediaFault: MediaFault;
  /** Whether the provider says how many bytes its media has. */
  readonly sized: boolean;
  /** It takes longer than a lease to send, though nothing is wrong. */
  readonly large: boolean;
  /** Times `discard` was carried out. */
  discards: number;
  /** Times capture was begun. */
  captures: number;
  /** Ids of the recordings for which it was begun. */
  readonly capturedFor: Set<string>;
}

/** The provider's side of the world: rooms, captures, media, and the callbacks it sends. */
export interface ProviderWorld {
  readonly rooms: ReadonlyMap<string, ProviderRoom>;
  open(provider: string): ProviderRoom;
  room(provider: string, ref: string): ProviderRoom | undefined;
  /** Everybody leaves. */
  end(room: ProviderRoom): void;
  setRule(room: ProviderRoom, rule: boolean): void;
  /** Begins to make the media; it is ready later. */
  compose(room: ProviderRoom): void;
  /** Removes everything. @returns whether there was anything */
  discard(room: ProviderRoom): boolean;
  /** Loses the media by itself. */
  lose(room: ProviderRoom): void;
}

/** How a provider behaves. */
export interface ProviderHabits {
  readonly scheduler: Scheduler;
  readonly numbers: () => number;
  /** Milliseconds by which the provider's clock is ahead. */
  readonly skew: () => number;
  /** How often making the media fails, 0–1. */
  readonly failing: () => number;
  readonly mediaFault: () => MediaFault;
  readonly large: () => boolean;
  /** Told of a fault of the provider by its kind. */
  readonly onFault: (kind: 'media_failed' | 'lost_at_provider') => void;
  readonly send: (event: ProviderEvent) => void;
}

const page = new TextEncoder().encode('<!DOCTYPE html><html><body>Service Unavailable</body></html>');

/** Whether something is being captured at this moment. */
export function capturing(room: ProviderRoom): boolean {
  return room.live && room.rule;
}

/** Whether the provider holds anything of a room. */
export function holdsMedia(room: ProviderRoom): boolean {
  return room.segments.length > 0 || room.compositions.some(({ status }) => status !== 'failed');
}

/** What is handed out, given what is wrong with it. */
export function handedOut(room: ProviderRoom, { bytes, durationSeconds }: Composition): Uint8Array {
  switch (room.mediaFault) {
    case 'none':
      return bytes;
    case 'empty':
      return new Uint8Array(0);
    case 'page':
      return page;
    case 'cut':
      return bytes.slice(0, bytes.length / 2);
    case 'short':
      return durationSeconds > 60 ? sampleMp4(1, 300) : bytes;
  }
}

/** Media that plays for so long, and is like no other. */
function mediaBytes(seconds: number, numbers: () => number): Uint8Array {
  return sampleMp4(seconds, 300 + Math.floor(numbers() * 700));
}

/** What the provider says of a composition. */
export function mediaOfComposition({ sized }: ProviderRoom, { ref, bytes }: Composition): ProviderMedia {
  return { ref, contentType: 'video/mp4', ...(sized ? { size: bytes.length } : {}) };
}

/** Seconds that were captured in a room until now. */
export function capturedSeconds(room: ProviderRoom, now: number): number {
  return Math.round(room.segments.reduce((sum, { from, to = now }) => sum + (to - from), 0) / 1000);
}

export function createProviderWorld(habits: ProviderHabits): ProviderWorld {
  const { scheduler, numbers, send } = habits;
  const rooms = new Map<string, ProviderRoom>();
  let serial = 0;
  const keyOf = (provider: string, ref: string): string => `${provider}/${ref}`;
  const tell = (
    room: ProviderRoom,
    type: ProviderEvent['type'],
    more: Partial<Pick<ProviderEvent, 'media' | 'durationSeconds' | 'failureCode'>> = {},
  ): void => {
    serial += 1;
    const at = new Date(scheduler.now() + habits.skew()).toISOString();
    send({ provider: room.provider, providerRef: room.ref, type, key: `${room.ref}:${serial}`, at, ...more });
  };
  const closeSegment = (room: ProviderRoom): void => {
    const open = room.segments.find(({ to }) => to === undefined);
    if (open === undefined) return;
    open.to = scheduler.now();
    tell(room, 'capture_completed');
  };
  const compose = (room: ProviderRoom): void => {
    serial += 1;
    const ref = `CJ${String(serial).padStart(32, '0')}`;
    const composition: Composition = { ref, status: 'processing', durationSeconds: 0, bytes: new Uint8Array(0) };
    room.compositions.push(composition);
    tell(room, 'processing');
    scheduler.after(10_000 + numbers() * 600_000, () => finish(room, composition));
  };
  /** A provider that is not asked makes the media by itself, and again when it failed. */
  const composeUnasked = (room: ProviderRoom): void => {
    if (room.provider === 'unasked' && room.segments.length > 0) compose(room);
  };
  const finish = (room: ProviderRoom, composition: Composition): void => {
    if (!room.compositions.includes(composition)) return;
    if (numbers() < habits.failing()) {
      composition.status = 'failed';
      habits.onFault('media_failed');
      tell(room, 'media_failed', { failureCode: 'composition_failed' });
      composeUnasked(room);
      return;
    }
    composition.status = 'ready';
    composition.durationSeconds = Math.max(1, capturedSeconds(room, scheduler.now()));
    composition.bytes = mediaBytes(composition.durationSeconds, numbers);
    room.made.push(composition.bytes);
    const media = mediaOfComposition(room, composition);
    tell(room, 'media_available', { media, durationSeconds: composition.durationSeconds });
  };
  return {
    rooms,
    open: (provider) => {
      serial += 1;
      const mediaFault = habits.mediaFault();
      const room: ProviderRoom = {
        provider,
        ref: `RM${String(serial).padStart(32, '0')}`,
        openedAt: scheduler.now(),
        live: true,
        rule: false,
        segments: [],
        compositions: [],
        made: [],
        lost: false,
        mediaFault,
        sized: mediaFault === 'none',
        large: habits.large(),
        discards: 0,
        captures: 0,
        capturedFor: new Set(),
      };
      rooms.set(keyOf(provider, room.ref), room);
      return room;
    },
    room: (provider, ref) => rooms.get(keyOf(provider, ref)),
    end: (room) => {
      if (!room.live) return;
      room.live = false;
      room.endedAt = scheduler.now();
      closeSegment(room);
      tell(room, 'session_ended');
      composeUnasked(room);
    },
    setRule: (room, rule) => {
      if (room.rule === rule || !room.live) return;
      room.rule = rule;
      if (!rule) return closeSegment(room);
      room.segments.push({ from: scheduler.now() });
      room.captures += 1;
      tell(room, 'capture_started');
    },
    compose,
    discard: (room) => {
      const held = holdsMedia(room);
      room.discards += 1;
      // What is being captured goes on: only its past is removed.
      room.segments = room.segments.filter(({ to }) => to === undefined);
      room.compositions = [];
      return held;
    },
    lose: (room) => {
      if (room.live) return;
      room.lost = true;
      habits.onFault('lost_at_provider');
      room.segments = [];
      room.compositions = [];
    },
  };
}
