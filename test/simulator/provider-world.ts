import type { ProviderEvent } from '@medzen/recording';
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
export type MediaFault = 'none' | 'empty' | 'page' | 'short';

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
  /** The provider has removed it by its own rules: a loss that nobody here can help. */
  lost: boolean;
  /** What is wrong with the media as it is handed out; healed by `heal`. */
  mediaFault: MediaFault;
  /** Milliseconds before each part of the media comes, though nothing is wrong: it is large. */
  readonly partMs: number;
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
  readonly partMs: () => number;
  readonly send: (event: ProviderEvent) => void;
}

const signature = Uint8Array.of(0x1a, 0x45, 0xdf, 0xa3);
const page = new TextEncoder().encode('<!DOCTYPE html><html><body>Service Unavailable</body></html>');

/** Bytes a second of what a room captures. */
const bytesPerSecond = 1;

/** Whether something is being captured at this moment. */
export function capturing(room: ProviderRoom): boolean {
  return room.live && room.rule;
}

/** Whether the provider holds anything of a room. */
export function holdsMedia(room: ProviderRoom): boolean {
  return room.segments.length > 0 || room.compositions.some(({ status }) => status !== 'failed');
}

/** What is handed out, given what is wrong with it. */
export function handedOut(room: ProviderRoom, { bytes }: Composition): Uint8Array {
  switch (room.mediaFault) {
    case 'none':
      return bytes;
    case 'empty':
      return new Uint8Array(0);
    case 'page':
      return page;
    case 'short':
      return bytes.slice(0, 8);
  }
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
  const seconds = (room: ProviderRoom): number =>
    Math.max(1, Math.round(room.segments.reduce((sum, { from, to = scheduler.now() }) => sum + (to - from), 0) / 1000));
  const closeSegment = (room: ProviderRoom): void => {
    const open = room.segments.find(({ to }) => to === undefined);
    if (open === undefined) return;
    open.to = scheduler.now();
    tell(room, 'capture_completed');
  };
  const mediaOf = (durationSeconds: number): Uint8Array => {
    const bytes = new Uint8Array(signature.length + 60 + durationSeconds * bytesPerSecond);
    bytes.set(signature);
    for (let i = 4; i < Math.min(bytes.length, 20); i++) bytes[i] = Math.floor(numbers() * 256);
    return bytes;
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
      tell(room, 'media_failed', { failureCode: 'composition_failed' });
      composeUnasked(room);
      return;
    }
    composition.status = 'ready';
    composition.durationSeconds = seconds(room);
    composition.bytes = mediaOf(composition.durationSeconds);
    const media = { ref: composition.ref, contentType: 'video/webm', size: handedOut(room, composition).length };
    tell(room, 'media_available', { media, durationSeconds: composition.durationSeconds });
  };
  return {
    rooms,
    open: (provider) => {
      serial += 1;
      const room: ProviderRoom = {
        provider,
        ref: `RM${String(serial).padStart(32, '0')}`,
        openedAt: scheduler.now(),
        live: true,
        rule: false,
        segments: [],
        compositions: [],
        lost: false,
        mediaFault: habits.mediaFault(),
        partMs: habits.partMs(),
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
      room.segments = [];
      room.compositions = [];
    },
  };
}
