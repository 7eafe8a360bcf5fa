import type { MediaReader } from './media-reader.ts';

const packet = 188;

/**
 * Counts the bytes of an MPEG transport stream as they pass by: it consists of packets of 188. It does not say how many,
 * so that a cut between two cannot be told.
 *
 * @see ISO/IEC 13818-1, 2.4.3
 */
export function mpegTsLength(): MediaReader {
  let bytes = 0;
  return {
    feed: (chunk) => {
      bytes += chunk.length;
    },
    end: () => ({ seconds: undefined, wholeness: bytes > 0 && bytes % packet === 0 ? 'unknown' : 'truncated' }),
  };
}
