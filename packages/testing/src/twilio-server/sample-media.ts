/** Media as a player would take it for: small, and as long as asked. Its samples are a pattern, not pictures. */

/**
 * An MP4 file of `ftyp`, `moov` with `mvhd`, and `mdat`.
 *
 * @param seconds - that it says it plays
 * @param size - bytes in all, at least 200
 */
export function sampleMp4(seconds: number, size = 65_536): Uint8Array {
  const ftyp = box('ftyp', text('isom'), u32(512), text('isomiso2mp41'));
  const scale = 1000;
  const matrix = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000].map(u32);
  const mvhd = box(
    'mvhd',
    u32(0),
    u32(0),
    u32(0),
    u32(scale),
    u32(Math.round(seconds * scale)),
    u32(0x10000),
    new Uint8Array(12),
    ...matrix,
    new Uint8Array(24),
    u32(2),
  );
  const moov = box('moov', mvhd);
  const mdat = box('mdat', pattern(size - ftyp.length - moov.length - 8));
  return join([ftyp, moov, mdat]);
}

/**
 * A WebM file: EBML header, segment with `Info`, and a cluster with one block of padding.
 *
 * @param seconds - that it says it plays
 * @param size - bytes in all, at least 200
 * @param sizes - `unknown`: of segment and cluster, as what is written live; `declared`: the segment states its size
 */
export function sampleWebm(seconds: number, size = 65_536, sizes: 'unknown' | 'declared' = 'unknown'): Uint8Array {
  const duration = new Uint8Array(8);
  new DataView(duration.buffer).setFloat64(0, seconds * 1000);
  const header = element([0x1a, 0x45, 0xdf, 0xa3], element([0x42, 0x82], text('webm')));
  const info = element(
    [0x15, 0x49, 0xa9, 0x66],
    element([0x2a, 0xd7, 0xb1], Uint8Array.of(0x0f, 0x42, 0x40)),
    element([0x44, 0x89], duration),
  );
  const live = Uint8Array.of(0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  const timestamp = element([0xe7], Uint8Array.of(0));
  const [segmentId, clusterId, blockId] = [
    Uint8Array.of(0x18, 0x53, 0x80, 0x67),
    Uint8Array.of(0x1f, 0x43, 0xb6, 0x75),
    Uint8Array.of(0xa3),
  ];
  const before = header.length + segmentId.length + live.length;
  const inSegment = size - before;
  const inBlock =
    inSegment - info.length - clusterId.length - live.length - timestamp.length - blockId.length - live.length;
  return join([
    header,
    segmentId,
    sizes === 'declared' ? long(inSegment) : live,
    info,
    clusterId,
    live,
    timestamp,
    blockId,
    long(inBlock),
    pattern(inBlock),
  ]);
}

/** Seconds that an MP4 file says it plays; undefined when it does not say. */
export function mp4Seconds(bytes: Uint8Array): number | undefined {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('mvhd');
  if (at < 0 || at + 24 > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + 4);
  if (view.getUint8(0) === 1) return Number(view.getBigUint64(24)) / view.getUint32(20);
  return view.getUint32(16) / view.getUint32(12);
}

function box(type: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = join(parts);
  return join([u32(body.length + 8), text(type), body]);
}

function element(id: readonly number[], ...parts: readonly Uint8Array[]): Uint8Array {
  const body = join(parts);
  return join([Uint8Array.from(id), Uint8Array.of(0x40 | (body.length >> 8), body.length & 0xff), body]);
}

/** A size in eight bytes. */
function long(value: number): Uint8Array {
  return join([Uint8Array.of(0x01, 0, 0, 0), u32(value)]);
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
