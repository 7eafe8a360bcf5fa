import { sampleMp4, sampleWebm } from '@medzen/testing/twilio-server';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MediaFacts, mediaReader, type Wholeness } from './media-reader.ts';

function facts(contentType: string, ...chunks: readonly Uint8Array[]): MediaFacts {
  const reader = mediaReader(contentType);
  for (const chunk of chunks) reader.feed(chunk);
  return reader.end();
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const filled = (length: number, value = 0): Uint8Array => new Uint8Array(length).fill(value);
const u32 = (value: number, little = true): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, little);
  return bytes;
};

/** `seconds` of 8 kHz, 8 bit, one channel. */
function wav(seconds: number, stated = true): Uint8Array {
  const data = 8000 * seconds;
  const size = (value: number): Uint8Array => u32(stated ? value : 0xffff_ffff);
  const format = join(u32(16), u32(0x0001_0001), u32(8000), u32(8000), u32(0x0008_0001));
  return join(ascii('RIFF'), size(36 + data), ascii('WAVEfmt '), format, ascii('data'), size(data), filled(data, 128));
}

/** The same as RF64, whose sizes stand in `ds64`. */
function rf64(seconds: number): Uint8Array {
  const plain = wav(seconds);
  const data = 8000 * seconds;
  const ds64 = join(u32(28), u32(72 + data), u32(0), u32(data), u32(0), filled(12));
  const [format, media] = [plain.subarray(12, 36), plain.subarray(44)];
  return join(ascii('RF64'), filled(4, 255), ascii('WAVEds64'), ds64, format, ascii('data'), filled(4, 255), media);
}

function page(flags: number, serial: number, length: number): Uint8Array {
  const lacing = [...Array<number>(Math.floor(length / 255)).fill(255), length % 255];
  const fixed = join(ascii('OggS'), Uint8Array.of(0, flags), filled(8), u32(serial), filled(8));
  return join(fixed, Uint8Array.of(lacing.length, ...lacing), filled(length, 7));
}
const ogg = (last: number): Uint8Array =>
  join(page(2, 1, 30), page(2, 2, 30), page(0, 1, 600), page(last, 2, 10), page(last, 1, 300));

/** MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes a frame, 418 when padded. */
const mp3Frame = (padded = false): Uint8Array =>
  join(Uint8Array.of(0xff, 0xfb, padded ? 0x92 : 0x90, 0), filled(413 + (padded ? 1 : 0)));
/** MPEG-2 layer III, 64 kbit/s, 22.05 kHz: 208 bytes a frame. */
const mp3Low = join(Uint8Array.of(0xff, 0xf3, 0x80, 0), filled(204));
const id3 = join(ascii('ID3'), Uint8Array.of(4, 0, 0, 0, 0, 1, 2), filled(130, 0xff));
const adts = (length: number): Uint8Array =>
  join(
    Uint8Array.of(0xff, 0xf1, 0x50, 0x80 | (length >> 11), (length >> 3) & 0xff, ((length & 7) << 5) | 0x1f, 0xfc),
    filled(length - 7),
  );
/** STREAMINFO of 16 kHz, one channel, 16 bit, and its number of samples. */
const flac = (samples: number): Uint8Array =>
  join(
    ascii('fLaC'),
    Uint8Array.of(0x80, 0, 0, 34),
    filled(10),
    u32(0x03e8_00f0, false),
    u32(samples, false),
    filled(50),
  );

function box(type: string, length: number): Uint8Array {
  return join(u32(length + 8, false), ascii(type), filled(length));
}
const fragments = join(box('ftyp', 12), box('moov', 40), box('moof', 20), box('mdat', 99));

const mp4 = sampleMp4(61.5, 3000);
const [ftyp, moov, mdat] = [mp4.subarray(0, 28), mp4.subarray(28, 144), mp4.subarray(144)];
const declared = sampleWebm(61.5, 3000, 'declared');
/** Its cluster begins at 52; a timestamp follows at 64, a block at 68. */
const live = sampleWebm(61.5, 3000);

describe('the structure of media', () => {
  const cases: readonly [string, string, Uint8Array, MediaFacts][] = [
    ['MP4', 'video/mp4', mp4, { seconds: 61.5, wholeness: 'whole' }],
    ['MP4, its header last', 'video/mp4', join(ftyp, mdat, moov), { seconds: 61.5, wholeness: 'whole' }],
    ['MP4 in fragments', 'video/mp4', fragments, { seconds: undefined, wholeness: 'unknown' }],
    [
      'MP4 in fragments with an index at its end',
      'video/mp4',
      join(fragments, box('mfra', 8)),
      { seconds: undefined, wholeness: 'whole' },
    ],
    [
      'MP4 whose last box reaches to the end',
      'video/mp4',
      join(ftyp, moov, filled(4), mdat.subarray(4)),
      { seconds: 61.5, wholeness: 'unknown' },
    ],
    ['WebM that states its size', 'video/webm', declared, { seconds: 61.5, wholeness: 'whole' }],
    ['WebM and padding', 'video/webm', join(declared, filled(9)), { seconds: 61.5, wholeness: 'whole' }],
    ['two WebM in a row', 'video/webm', join(declared, declared), { seconds: 61.5, wholeness: 'whole' }],
    ['WebM written live', 'video/webm', sampleWebm(61.5, 3000), { seconds: 61.5, wholeness: 'unknown' }],
    ['WAV', 'audio/wav', wav(2), { seconds: 2, wholeness: 'whole' }],
    ['WAV written live', 'audio/wav', wav(2, false), { seconds: undefined, wholeness: 'unknown' }],
    ['RF64', 'audio/wav', rf64(2), { seconds: 2, wholeness: 'whole' }],
    ['Ogg', 'audio/ogg', ogg(4), { seconds: undefined, wholeness: 'whole' }],
    ['Ogg without a last page', 'audio/ogg', ogg(0), { seconds: undefined, wholeness: 'unknown' }],
    [
      'MP3',
      'audio/mpeg',
      join(id3, mp3Frame(), mp3Frame(true), mp3Low, ascii('TAG'), filled(125)),
      { seconds: undefined, wholeness: 'unknown' },
    ],
    ['AAC', 'audio/aac', join(adts(300), adts(7), adts(1000)), { seconds: undefined, wholeness: 'unknown' }],
    ['FLAC', 'audio/flac', flac(32_000), { seconds: 2, wholeness: 'unknown' }],
    ['MPEG-TS', 'video/mp2t', filled(188 * 3, 0x47), { seconds: undefined, wholeness: 'unknown' }],
    ['what is not known here', 'video/x-new', filled(9), { seconds: undefined, wholeness: 'unknown' }],
  ];

  it.each(cases)('is read however its bytes are cut: %s', (_name, contentType, bytes, expected) => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 8 }), (cuts) => {
        const ends = [...new Set(cuts)].toSorted((a, b) => a - b);
        const chunks = [0, ...ends].map((from, at) => bytes.subarray(from, ends[at] ?? bytes.length));
        expect(facts(contentType, ...chunks)).toEqual(expected);
      }),
    );
  });

  const cut: readonly [string, string, Uint8Array, (at: number) => Wholeness][] = [
    ['MP4', 'video/mp4', mp4, () => 'truncated'],
    ['WebM that states its size', 'video/webm', declared, () => 'truncated'],
    ['WebM written live', 'video/webm', live, (at) => ([64, 68].includes(at) ? 'unknown' : 'truncated')],
    ['WAV', 'audio/wav', wav(1), () => 'truncated'],
    ['RF64', 'audio/wav', rf64(1), (at) => (at < 28 && at >= 12 ? 'unknown' : 'truncated')],
    ['Ogg', 'audio/ogg', ogg(4), (at) => ([58, 116, 746, 784].includes(at) ? 'unknown' : 'truncated')],
    ['MP3', 'audio/mpeg', join(id3, mp3Frame(), mp3Low), (at) => (at === 140 + 417 ? 'unknown' : 'truncated')],
    ['AAC', 'audio/aac', join(adts(300), adts(500)), (at) => (at === 300 ? 'unknown' : 'truncated')],
    ['MPEG-TS', 'video/mp2t', filled(188 * 3, 0x47), (at) => (at > 0 && at % 188 === 0 ? 'unknown' : 'truncated')],
  ];

  it.each(cut)('never calls a part whole, wherever it is cut: %s', (_name, contentType, bytes, expected) => {
    for (let at = 0; at < bytes.length; at++)
      expect([at, facts(contentType, bytes.subarray(0, at)).wholeness]).toEqual([at, expected(at)]);
  });

  it('is not whole when something is missing in the middle, or there is no media', () => {
    expect(facts('video/mp4', ftyp, mdat)).toMatchObject({ wholeness: 'truncated' });
    expect(facts('video/mp4', ftyp, moov)).toMatchObject({ wholeness: 'truncated' });
    expect(facts('video/mp4', ftyp, moov, mdat.subarray(1))).toMatchObject({ wholeness: 'truncated' });
    const inside = declared.length / 2;
    const without = join(declared.subarray(0, inside), declared.subarray(inside + 9));
    expect(facts('video/webm', without)).toMatchObject({ wholeness: 'truncated' });
    // A tag of another kind at the end: nothing is said.
    expect(facts('audio/mpeg', mp3Frame(), ascii('APETAGEX'))).toMatchObject({ wholeness: 'unknown' });
  });

  it('is read without ever throwing, whatever the bytes', () => {
    const types = ['video/mp4', 'video/webm', 'audio/wav', 'audio/ogg', 'audio/mpeg', 'audio/flac', 'video/mp2t'];
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
        (type, chunks) => {
          expect(['whole', 'truncated', 'unknown']).toContain(facts(type, ...chunks).wholeness);
        },
      ),
    );
  });
});
