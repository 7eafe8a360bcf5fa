/** Bytes at the beginning in which `Info` is looked for. */
const keptBytes = 65_536;

const segment = 0x18538067;
const info = 0x1549a966;
const cluster = 0x1f43b675;
const timestampScale = 0x2ad7b1;
const duration = 0x4489;

/**
 * Reads the length of a WebM or Matroska file from its first 64 KB, as its bytes pass by. Files that were recorded live often do not say.
 *
 * @see RFC 8794 (EBML), RFC 9559 (Matroska)
 */
export function webmLength(): {
  readonly feed: (chunk: Uint8Array) => void;
  readonly end: () => { readonly seconds: number | undefined; readonly whole: boolean };
} {
  let head = new Uint8Array(0);
  return {
    feed: (chunk) => {
      if (head.length >= keptBytes) return;
      const taken = chunk.subarray(0, keptBytes - head.length);
      const both = new Uint8Array(head.length + taken.length);
      both.set(head);
      both.set(taken, head.length);
      head = both;
    },
    end: () => ({ seconds: secondsOf(head), whole: true }),
  };
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
