import type { MediaReader, Wholeness } from './media-reader.ts';
import { keepHead, type UnitStep, walkUnits } from './unit-walk.ts';

/** Bytes at the beginning in which `Info` is looked for. */
const keptBytes = 65_536;

const ebml = 0x1a45dfa3;
const segment = 0x18538067;
const info = 0x1549a966;
const cluster = 0x1f43b675;
const timestampScale = 0x2ad7b1;
const duration = 0x4489;

/**
 * Reads a WebM or Matroska file as its bytes pass by: its length from the first 64 KB, and whether it is whole from the
 * sizes of its elements. A segment that states its size has to have it. One that was written live states none: its
 * clusters have to end where the file does, and a cut between two of them cannot be told. Live files often do not say
 * how long they play either.
 *
 * @see RFC 8794 (EBML), RFC 9559 (Matroska)
 */
export function webmLength(): MediaReader {
  const head = keepHead(keptBytes);
  /** End of the present segment; `Infinity` while its size is unknown; undefined outside of one. */
  let end: number | undefined;
  let clusters = 0;
  const read = (header: Uint8Array, at: number): UnitStep => {
    const id = vint(header, 0, true);
    if (id === undefined) return more(header, 0, 4);
    const size = vint(header, id.bytes, false);
    if (size === undefined) return header.length === id.bytes ? { need: 1 } : more(header, id.bytes, 8);
    const content = at + header.length;
    if (end !== undefined && (at >= end || (end === Number.POSITIVE_INFINITY && id.value === ebml))) {
      // A new document follows a segment, or padding.
      if (id.value !== ebml) return { skip: Number.POSITIVE_INFINITY };
      end = undefined;
      clusters = 0;
    }
    if (id.value === segment) {
      if (end !== undefined) return 'broken';
      end = size.unknown ? Number.POSITIVE_INFINITY : content + size.value;
      return { skip: 0 };
    }
    if (id.value === cluster) clusters += 1;
    // Its children follow one by one, as if they stood beside it.
    if (size.unknown) return id.value === cluster && end !== undefined ? { skip: 0 } : 'broken';
    return end !== undefined && content + size.value > end ? 'broken' : { skip: size.value };
  };
  const walk = walkUnits(1, (header, at) => {
    const step = read(header, at);
    // Padding after a segment is no element.
    return step === 'broken' && end !== undefined && at >= end ? { skip: Number.POSITIVE_INFINITY } : step;
  });
  const wholeness = (): Wholeness => {
    const { at, bytes } = walk.end();
    if (end === undefined || clusters === 0 || at === 'broken') return 'truncated';
    if (end !== Number.POSITIVE_INFINITY) return bytes >= end ? 'whole' : 'truncated';
    return at === 'boundary' ? 'unknown' : 'truncated';
  };
  return {
    feed: (chunk) => {
      head.feed(chunk);
      walk.feed(chunk);
    },
    end: () => ({ seconds: secondsOf(head.bytes()), wholeness: wholeness() }),
  };
}

/** Asks for the rest of a number of variable width, at most `most` bytes, that begins at `at`. */
function more(header: Uint8Array, at: number, most: number): UnitStep {
  const width = Math.clz32(header[at] ?? 0) - 23;
  return width > most ? 'broken' : { need: Math.max(1, at + width - header.length) };
}

function secondsOf(bytes: Uint8Array): number | undefined {
  let scale = 1_000_000;
  let length: number | undefined;
  const walk = (from: number, to: number): void => {
    for (let at = from; at < to; ) {
      const id = vint(bytes, at, true);
      const size = id === undefined ? undefined : vint(bytes, at + id.bytes, false);
      if (id === undefined || size === undefined || id.value === cluster) return;
      const start = at + id.bytes + size.bytes;
      // An unknown size (all ones) is that of a segment that was written live: what is in it follows all the same.
      const end = Math.min(to, size.unknown ? to : start + size.value);
      if (id.value === segment || id.value === info) walk(start, end);
      else if (id.value === timestampScale) scale = unsigned(bytes.subarray(start, end));
      else if (id.value === duration) length = float(bytes.subarray(start, end));
      at = end;
    }
  };
  walk(0, bytes.length);
  const seconds = length === undefined ? Number.NaN : (length * scale) / 1e9;
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}

function vint(
  bytes: Uint8Array,
  at: number,
  keepMarker: boolean,
): { readonly value: number; readonly bytes: number; readonly unknown: boolean } | undefined {
  const first = bytes[at];
  if (first === undefined || first === 0) return undefined;
  const width = Math.clz32(first) - 23;
  if (width > 8 || at + width > bytes.length) return undefined;
  let value = keepMarker ? first : first & (0xff >> width);
  let ones = (first & (0xff >> width)) === 0xff >> width;
  for (let i = 1; i < width; i++) {
    const byte = bytes[at + i] ?? 0;
    value = value * 256 + byte;
    ones &&= byte === 0xff;
  }
  return { value, bytes: width, unknown: ones };
}

function unsigned(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

function float(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return bytes.length === 8 ? view.getFloat64(0) : bytes.length === 4 ? view.getFloat32(0) : undefined;
}
