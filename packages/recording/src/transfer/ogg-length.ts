import type { MediaReader, Wholeness } from './media-reader.ts';
import { latin, walkUnits } from './unit-walk.ts';

const fixedHeader = 27;
const firstPage = 0x02;
const lastPage = 0x04;

/**
 * Reads an Ogg file, page by page, as its bytes pass by. Each stream in it says which page is its last. Where one never
 * says so, as in what was broadcast, a cut between two pages cannot be told.
 *
 * @see RFC 3533
 */
export function oggLength(): MediaReader {
  const open = new Set<number>();
  let pages = 0;
  const walk = walkUnits(fixedHeader, (header) => {
    if (latin(header, 0, 4) !== 'OggS') return 'broken';
    const segments = header[26] ?? 0;
    if (header.length < fixedHeader + segments) return { need: segments };
    const view = new DataView(header.buffer, header.byteOffset, header.length);
    const [flags, serial] = [view.getUint8(5), view.getUint32(14, true)];
    pages += 1;
    if ((flags & firstPage) !== 0) open.add(serial);
    if ((flags & lastPage) !== 0) open.delete(serial);
    return { skip: header.subarray(fixedHeader).reduce((sum, length) => sum + length, 0) };
  });
  const wholeness = (): Wholeness => {
    if (walk.end().at !== 'boundary' || pages === 0) return 'truncated';
    return open.size === 0 ? 'whole' : 'unknown';
  };
  return { feed: walk.feed, end: () => ({ seconds: undefined, wholeness: wholeness() }) };
}
