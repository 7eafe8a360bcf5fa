import type { MediaReader, Wholeness } from './media-reader.ts';
import { latin, type UnitStep, walkUnits } from './unit-walk.ts';

/** Kilobits a second by index, from 1 to 14: MPEG-1 layers I, II, III; MPEG-2 layer I, layers II and III. */
const rates = {
  v1l1: [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  v1l2: [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  v1l3: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  v2l1: [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  v2l23: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
} as const;
/** Hertz of MPEG-1 by index; MPEG-2 has the half, MPEG-2.5 the quarter. */
const frequencies = [44_100, 48_000, 32_000] as const;

/**
 * Reads MP3 or ADTS (AAC) as its bytes pass by, frame by frame. Neither states how many frames there are: a last frame
 * that breaks off tells a cut, one between two frames cannot be told. Frames of a free bit rate, and tags at the end
 * that are not ID3, are not read, and nothing is said about what has them.
 *
 * @see ISO/IEC 11172-3, 2.4.2; ISO/IEC 13818-7, 6.2
 */
export function mpegAudioLength(): MediaReader {
  let frames = 0;
  const walk = walkUnits(4, (header) => {
    const step = readFrame(header);
    if (step !== 'broken' && 'skip' in step && (header[0] ?? 0) === 0xff) frames += 1;
    return step;
  });
  const wholeness = (): Wholeness => {
    const { at } = walk.end();
    if (at === 'broken') return 'unknown';
    return at === 'boundary' && frames > 0 ? 'unknown' : 'truncated';
  };
  return { feed: walk.feed, end: () => ({ seconds: undefined, wholeness: wholeness() }) };
}

function readFrame(header: Uint8Array): UnitStep {
  const tag = latin(header, 0, 3);
  if (tag === 'ID3') {
    if (header.length < 10) return { need: 10 - header.length };
    const size = header.subarray(6, 10).reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
    return { skip: size + (((header[5] ?? 0) & 0x10) === 0 ? 0 : 10) };
  }
  if (tag === 'TAG') return { skip: 124 };
  const [sync = 0, second = 0, third = 0] = header;
  if (sync !== 0xff || (second & 0xe0) !== 0xe0) return 'broken';
  const layer = (second >> 1) & 3;
  if (layer === 0) return readAdts(header);
  const version = (second >> 3) & 3;
  const [rate, frequency] = [third >> 4, (third >> 2) & 3];
  const hertz = frequencies[frequency];
  const kilobits = table(version === 3, layer)[rate - 1];
  if (version === 1 || hertz === undefined || kilobits === undefined) return 'broken';
  const sampled = version === 3 ? hertz : version === 2 ? hertz / 2 : hertz / 4;
  const padding = (third >> 1) & 1;
  const bits = kilobits * 1000;
  const factor = layer === 1 && version !== 3 ? 72 : 144;
  const length =
    layer === 3 ? (Math.floor((12 * bits) / sampled) + padding) * 4 : Math.floor((factor * bits) / sampled) + padding;
  return { skip: Math.max(0, length - header.length) };
}

/** @param layer - as the header has it: 3 is layer I, 1 is layer III */
function table(mpeg1: boolean, layer: number): readonly number[] {
  if (!mpeg1) return layer === 3 ? rates.v2l1 : rates.v2l23;
  return layer === 3 ? rates.v1l1 : layer === 2 ? rates.v1l2 : rates.v1l3;
}

function readAdts(header: Uint8Array): UnitStep {
  if (((header[1] ?? 0) & 0xf0) !== 0xf0) return 'broken';
  if (header.length < 7) return { need: 7 - header.length };
  const [, , , fourth = 0, fifth = 0, sixth = 0] = header;
  const length = ((fourth & 3) << 11) | (fifth << 3) | (sixth >> 5);
  return length < 7 ? 'broken' : { skip: length - 7 };
}
