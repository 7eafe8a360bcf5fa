import { createHash } from 'node:crypto';
import type { Clock } from '@medzen/core';
import { signCallback, type TwilioCallback } from './callback.ts';
import { mp4Seconds, sampleMp4, sampleWebm } from './sample-media.ts';

/** A room of the stand-in. */
export interface TwilioRoom {
  readonly sid: string;
  status: 'in-progress' | 'completed';
  recording: boolean;
  readonly createdAt: Date;
  endedAt?: Date;
}

/** One track's recording. */
export interface TwilioTrackRecording {
  readonly sid: string;
  readonly room: string;
  readonly kind: 'audio' | 'video';
  readonly createdAt: Date;
  endedAt?: Date;
  status: 'processing' | 'completed' | 'failed' | 'deleted';
}

/** A composition. */
export interface TwilioComposition {
  readonly sid: string;
  readonly room: string;
  readonly format: string;
  readonly callback: string | undefined;
  readonly createdAt: Date;
  /** Its media, once it is completed. */
  media?: Uint8Array;
  /** Seconds its media plays, once it is completed. */
  duration?: number;
  status: 'enqueued' | 'processing' | 'completed' | 'failed' | 'deleted';
}

/** All that the stand-in knows. Changes emit the callbacks that Twilio would send. */
export interface TwilioWorld {
  readonly rooms: Map<string, TwilioRoom>;
  readonly recordings: Map<string, TwilioTrackRecording>;
  readonly compositions: Map<string, TwilioComposition>;
  readonly outbox: TwilioCallback[];
  /** Seconds that media of a test's own plays: its tracks are said to be as long. */
  readonly givenSeconds: number | undefined;
  createRoom(): TwilioRoom;
  setRecording(room: TwilioRoom, on: boolean): void;
  endRoom(room: TwilioRoom): void;
  /** Its tracks cannot be used. */
  failTracks(room: TwilioRoom): void;
  compose(room: TwilioRoom, format: string, callback: string | undefined): TwilioComposition;
  finish(composition: TwilioComposition, outcome: 'completed' | 'failed'): void;
  callback(event: string, fields: Readonly<Record<string, string>>, url?: string): TwilioCallback;
}

/** An empty world. */
export function twilioWorld(options: {
  readonly accountSid: string;
  readonly authToken: string;
  readonly callbackUrl: string;
  readonly clock: Clock;
  /** What every composition's media is; made up, of the right length, when absent. */
  readonly media: Uint8Array | undefined;
}): TwilioWorld {
  const { accountSid, authToken, callbackUrl, clock, media } = options;
  const given = media === undefined ? undefined : mp4Seconds(media);
  let serial = 0;
  const sid = (prefix: string): string => {
    serial += 1;
    return prefix + createHash('sha256').update(`${accountSid} ${prefix} ${serial}`).digest('hex').slice(0, 32);
  };
  let sequence = 0;
  const callback: TwilioWorld['callback'] = (event, fields, url = callbackUrl) => {
    const Timestamp = clock.now().toISOString();
    sequence += 1;
    return signCallback(authToken, url, event, {
      AccountSid: accountSid,
      Timestamp,
      SequenceNumber: String(sequence),
      ...fields,
    });
  };
  const world: TwilioWorld = {
    rooms: new Map(),
    recordings: new Map(),
    compositions: new Map(),
    outbox: [],
    givenSeconds: given === undefined ? undefined : Math.round(given),
    callback,
    createRoom: () => {
      const room: TwilioRoom = { sid: sid('RM'), status: 'in-progress', recording: false, createdAt: clock.now() };
      world.rooms.set(room.sid, room);
      return room;
    },
    setRecording: (room, on) => {
      if (room.recording === on) return;
      room.recording = on;
      if (on)
        for (const kind of ['audio', 'video'] as const) {
          const track: TwilioTrackRecording = {
            sid: sid('RT'),
            room: room.sid,
            kind,
            createdAt: clock.now(),
            status: 'processing',
          };
          world.recordings.set(track.sid, track);
          world.outbox.push(callback('recording-started', trackFields(room, track)));
        }
      else endTracks(world, room, clock.now());
    },
    endRoom: (room) => {
      if (room.status === 'completed') return;
      if (room.recording) endTracks(world, room, clock.now());
      room.recording = false;
      room.status = 'completed';
      room.endedAt = clock.now();
      const seconds = Math.round((clock.now().getTime() - room.createdAt.getTime()) / 1000);
      world.outbox.push(
        callback('room-ended', {
          RoomSid: room.sid,
          RoomStatus: 'completed',
          RoomDuration: String(seconds),
          RoomType: 'group',
        }),
      );
    },
    failTracks: (room) => {
      for (const track of world.recordings.values()) {
        if (track.room !== room.sid || track.status === 'deleted') continue;
        track.status = 'failed';
        world.outbox.push(
          callback('recording-failed', { ...trackFields(room, track), FailedOperation: 'trackEncoding' }),
        );
      }
    },
    compose: (room, format, url) => {
      const composition: TwilioComposition = {
        sid: sid('CJ'),
        room: room.sid,
        format,
        callback: url,
        createdAt: clock.now(),
        status: 'enqueued',
      };
      world.compositions.set(composition.sid, composition);
      return composition;
    },
    finish: (composition, outcome) => {
      const { room, sid: CompositionSid, callback: url } = composition;
      composition.status = outcome;
      if (outcome === 'completed') {
        composition.duration = world.givenSeconds ?? secondsCaptured(world, room);
        composition.media = media ?? sampleOf(composition.format, composition.duration);
      }
      // Without an address of its own a composition tells nobody.
      if (url === undefined) return;
      const fields = { RoomSid: room, CompositionSid };
      world.outbox.push(callback('composition-started', fields, url));
      world.outbox.push(
        callback('composition-progress', { ...fields, PercentageDone: '50', SecondsRemaining: '1' }, url),
      );
      const done = {
        MediaUri: `/v1/Compositions/${CompositionSid}/Media`,
        Duration: String(composition.duration ?? 0),
        Size: String(composition.media?.length ?? 0),
      };
      world.outbox.push(
        outcome === 'completed'
          ? callback('composition-available', { ...fields, ...done }, url)
          : callback('composition-failed', { ...fields, FailedOperation: 'compose', ErrorMessage: 'No media' }, url),
      );
    },
  };
  return world;
}

function endTracks(world: TwilioWorld, room: TwilioRoom, now: Date): void {
  for (const track of world.recordings.values()) {
    if (track.room !== room.sid || track.status !== 'processing') continue;
    track.status = 'completed';
    track.endedAt = now;
    const seconds = String(secondsBetween(track.createdAt, now));
    const done = { MediaUri: `/v1/Recordings/${track.sid}/Media`, Duration: seconds, Size: '1024' };
    world.outbox.push(world.callback('recording-completed', { ...trackFields(room, track), ...done }));
  }
}

function trackFields(room: TwilioRoom, track: TwilioTrackRecording): Record<string, string> {
  return {
    RoomSid: room.sid,
    RecordingSid: track.sid,
    Type: track.kind,
    Container: track.kind === 'audio' ? 'mka' : 'mkv',
    Codec: track.kind === 'audio' ? 'opus' : 'vp8',
  };
}

function sampleOf(format: string, seconds: number): Uint8Array {
  return format === 'webm' ? sampleWebm(seconds) : sampleMp4(seconds);
}

/** How long the tracks of a room were captured, without the gaps between them. */
function secondsCaptured(world: TwilioWorld, room: string): number {
  let [seconds, end] = [0, 0];
  const tracks = [...world.recordings.values()].filter((track) => track.room === room && track.endedAt !== undefined);
  for (const { createdAt, endedAt } of tracks.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime())) {
    const from = Math.max(end, createdAt.getTime());
    seconds += Math.max(0, ((endedAt?.getTime() ?? from) - from) / 1000);
    end = Math.max(end, endedAt?.getTime() ?? from);
  }
  return Math.round(seconds);
}

export function secondsBetween(from: Date, to: Date): number {
  return Math.round((to.getTime() - from.getTime()) / 1000);
}
