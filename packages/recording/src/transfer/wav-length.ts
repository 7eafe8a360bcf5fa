import type { MediaReader, Wholeness } from './media-reader.ts';
import { keepHead, latin } from './unit-walk.ts';

/** Bytes at the beginning in which `fmt ` and the header of `data` are looked for. */
const keptBytes = 65_536;
/** Stands for a size that was not known when it was written, or that RF64 states elsewhere. */
const unstated = 0xffff_ffff;

/**
 * Reads a WAV file as its bytes pass by. Its header states its size; one that was written live states 0 or all ones,
 * and then nothing can be told. RF64, for more than 4 GB, states it in `ds64`.
 *
 * @see EBU Tech 3306 (RF64)
 */
export function wavLength(): MediaReader {
  const head = keepHead(keptBytes);
  let bytes = 0;
  return {
    feed: (chunk) => {
      head.feed(chunk);
      bytes += chunk.length;
    },
    end: () => {
      const { stated, seconds } = describe(head.bytes());
      const wholeness: Wholeness = stated === undefined ? 'unknown' : bytes >= stated ? 'whole' : 'truncated';
      return { seconds, wholeness: bytes < 12 ? 'truncated' : wholeness };
    },
  };
}

/** Reads what the header states: bytes of the whole file, seconds that it plays. */
function describe(head: Uint8Array): { readonly stated: number | undefined; readonly seconds: number | undefined } {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (head.length < 12) return { stated: undefined, seconds: undefined };
  const u32 = (at: number): number | undefined => (at + 4 <= head.length ? view.getUint32(at, true) : undefined);
  const u64 = (at: number): number | undefined =>
    at + 8 <= head.length ? Number(view.getBigUint64(at, true)) : undefined;
  const known = (size: number | undefined): number | undefined => (size === 0 || size === unstated ? undefined : size);
  const large = latin(head, 12, 16) === 'ds64';
  const riff = large ? u64(20) : known(u32(4));
  let rate: number | undefined;
  for (let at = 12; at + 8 <= head.length; ) {
    const name = latin(head, at, at + 4);
    const size = u32(at + 4) ?? 0;
    if (name === 'fmt ') rate = u32(at + 16);
    if (name === 'data') {
      const data = large && size === unstated ? u64(28) : known(size);
      const seconds = data === undefined || rate === undefined || rate === 0 ? undefined : data / rate;
      return { stated: riff === undefined ? undefined : Math.max(riff + 8, at + 8 + (data ?? 0)), seconds };
    }
    at += 8 + size + (size % 2);
  }
  return { stated: riff === undefined ? undefined : riff + 8, seconds: undefined };
}
