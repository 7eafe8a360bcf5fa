import { flacLength } from './flac-length.ts';
import { containerOf } from './media-kind.ts';
import { mp4Length } from './mp4-length.ts';
import { mpegAudioLength } from './mpeg-audio-length.ts';
import { mpegTsLength } from './mpeg-ts-length.ts';
import { oggLength } from './ogg-length.ts';
import { wavLength } from './wav-length.ts';
import { webmLength } from './webm-length.ts';

/**
 * Statement of the structure of media about its end. `whole`: it states its own size or end, and has it. `truncated`:
 * something that it states is missing, or it breaks off inside a unit. `unknown`: it ends between two units of a format
 * that does not say how many there are, so that a cut there cannot be told.
 */
export type Wholeness = 'whole' | 'truncated' | 'unknown';

/** Facts about media after all its bytes have passed. */
export interface MediaFacts {
  /** Seconds that it plays, by its own header; undefined where it does not say. */
  readonly seconds: number | undefined;
  readonly wholeness: Wholeness;
}

/** Reads media as it passes by, in flat memory. Never throws, whatever the bytes. */
export interface MediaReader {
  readonly feed: (chunk: Uint8Array) => void;
  readonly end: () => MediaFacts;
}

const readers: Readonly<Record<string, () => MediaReader>> = {
  mp4: mp4Length,
  matroska: webmLength,
  wav: wavLength,
  ogg: oggLength,
  flac: flacLength,
  mpegAudio: mpegAudioLength,
  mpegTs: mpegTsLength,
};

/** Makes the reader of a content type. Of a container that is not known here, nothing can be told. */
export function mediaReader(contentType: string): MediaReader {
  const container = containerOf(contentType);
  const reader = container === undefined ? undefined : readers[container];
  return reader?.() ?? { feed: () => {}, end: () => ({ seconds: undefined, wholeness: 'unknown' }) };
}
