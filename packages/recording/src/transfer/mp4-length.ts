import type { MediaReader, Wholeness } from './media-reader.ts';
import { joined } from './unit-walk.ts';

/** Enough of `moov` to find `mvhd`, which comes first in it. */
const keptBytes = 65_536;

/**
 * Reads the length of an MP4 (or QuickTime) file as its bytes pass by, in flat memory: walks the boxes of the top level, wherever the one
 * with the header stands. A file that is written in fragments does not say how many there are, unless `mfra` ends it;
 * neither does a last box that reaches to the end of the file: a cut there cannot be told.
 *
 * @see ISO/IEC 14496-12, 4.2 and 8.2.2
 */
export function mp4Length(): MediaReader {
  let header = new Uint8Array(0);
  /** Bytes left of the current box; Infinity: up to the end of the file. */
  let left = 0;
  let moov: Uint8Array | undefined;
  let inMoov = false;
  let described = false;
  let fragmented = false;
  let hasMedia = false;
  let last = '';
  let broken = false;
  const enter = (chunk: Uint8Array): Uint8Array => {
    const wanted = header.length >= 8 && new DataView(header.buffer, header.byteOffset).getUint32(0) === 1 ? 16 : 8;
    const taken = chunk.subarray(0, wanted - header.length);
    header = joined(header, taken);
    if (header.length < wanted) return chunk.subarray(taken.length);
    const view = new DataView(header.buffer, header.byteOffset, header.length);
    const short = view.getUint32(0);
    if (short === 1 && wanted === 8) return chunk.subarray(taken.length);
    const size = short === 0 ? Number.POSITIVE_INFINITY : short === 1 ? Number(view.getBigUint64(8)) : short;
    const type = String.fromCharCode(...header.subarray(4, 8));
    broken = size < header.length;
    left = size - header.length;
    last = type;
    inMoov = type === 'moov';
    fragmented ||= type === 'moof';
    hasMedia ||= type === 'mdat';
    described ||= inMoov || fragmented;
    if (inMoov) moov = new Uint8Array(0);
    header = new Uint8Array(0);
    return chunk.subarray(taken.length);
  };
  const wholeness = (): Wholeness => {
    if (broken || !described || !hasMedia || header.length > 0) return 'truncated';
    if (left === Number.POSITIVE_INFINITY) return 'unknown';
    if (left > 0) return 'truncated';
    return fragmented && last !== 'mfra' ? 'unknown' : 'whole';
  };
  return {
    feed: (given) => {
      let chunk = given;
      while (chunk.length > 0 && !broken) {
        if (left === 0) chunk = enter(chunk);
        else {
          const passed = chunk.subarray(0, Math.min(left, chunk.length));
          if (inMoov && moov !== undefined && moov.length < keptBytes)
            moov = joined(moov, passed.subarray(0, keptBytes - moov.length));
          left -= passed.length;
          chunk = chunk.subarray(passed.length);
        }
      }
    },
    end: () => ({ seconds: moov === undefined ? undefined : movieSeconds(moov), wholeness: wholeness() }),
  };
}

function movieSeconds(moov: Uint8Array): number | undefined {
  const view = new DataView(moov.buffer, moov.byteOffset, moov.length);
  for (let at = 0; at + 8 <= moov.length; ) {
    const size = view.getUint32(at);
    if (String.fromCharCode(...moov.subarray(at + 4, at + 8)) === 'mvhd' && at + 40 <= moov.length) {
      const long = view.getUint8(at + 8) === 1;
      const scale = view.getUint32(at + (long ? 28 : 20));
      const length = long ? Number(view.getBigUint64(at + 32)) : view.getUint32(at + 24);
      // All ones: not known. Zero: in the fragments.
      const known = scale > 0 && length > 0 && (long ? length < 2 ** 63 : length < 0xffff_ffff);
      return known ? length / scale : undefined;
    }
    if (size < 8) return undefined;
    at += size;
  }
  return undefined;
}
