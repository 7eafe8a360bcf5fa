import type { MediaReader } from './media-reader.ts';
import { keepHead } from './unit-walk.ts';

/** The marker, the header of the first block, and as much of STREAMINFO as states rate and samples. */
const keptBytes = 26;

/**
 * Reads how long a FLAC file plays from its first block. Its frames state no size, so that a cut cannot be told from its
 * structure: only its length, against what was captured, can tell it.
 *
 * @see RFC 9639, 8.2
 */
export function flacLength(): MediaReader {
  const head = keepHead(keptBytes);
  return {
    feed: head.feed,
    end: () => {
      const bytes = head.bytes();
      if (bytes.length < keptBytes) return { seconds: undefined, wholeness: 'truncated' };
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const rate = view.getUint32(18) >>> 12;
      const samples = (view.getUint8(21) & 0x0f) * 2 ** 32 + view.getUint32(22);
      const known = rate > 0 && samples > 0;
      return { seconds: known ? samples / rate : undefined, wholeness: 'unknown' };
    },
  };
}
