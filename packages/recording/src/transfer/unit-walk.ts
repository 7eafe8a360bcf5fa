/** Next step after reading the header of a unit. */
export type UnitStep =
  /** The header is longer: so many bytes more, ≥ 1. */
  | { readonly need: number }
  /** The header is read: so many bytes of content follow, ≥ 0. `Infinity`: up to the end. */
  | { readonly skip: number }
  /** It is no header. Nothing after it is read. */
  | 'broken';

/** Position in the media after its last byte. */
export interface UnitWalk {
  readonly feed: (chunk: Uint8Array) => void;
  readonly end: () => {
    /** Bytes that have passed. */
    readonly bytes: number;
    readonly at: 'boundary' | 'header' | 'content' | 'broken';
  };
}

/**
 * Walks media that is a row of units, each a short header and its content, as its bytes arrive: only the header of the
 * present unit is kept.
 *
 * @param first - bytes of a header to begin with, ≥ 1
 * @param read - reads a header as far as it is there; `at` is where it begins
 */
export function walkUnits(first: number, read: (header: Uint8Array, at: number) => UnitStep): UnitWalk {
  let header = new Uint8Array(0);
  let need = first;
  let left = 0;
  let bytes = 0;
  let broken = false;
  return {
    feed: (chunk) => {
      for (let at = 0; at < chunk.length && !broken; ) {
        if (left > 0) {
          const passed = Math.min(left, chunk.length - at);
          left -= passed;
          at += passed;
          continue;
        }
        const taken = chunk.subarray(at, at + need);
        header = joined(header, taken);
        at += taken.length;
        need -= taken.length;
        if (need > 0) continue;
        const step = read(header, bytes + at - header.length);
        broken = step === 'broken';
        if (step === 'broken') break;
        if ('need' in step) need = step.need;
        else {
          left = step.skip;
          need = first;
          header = new Uint8Array(0);
        }
      }
      bytes += chunk.length;
    },
    end: () => ({
      bytes,
      at: broken
        ? 'broken'
        : header.length > 0
          ? 'header'
          : left > 0 && left !== Number.POSITIVE_INFINITY
            ? 'content'
            : 'boundary',
    }),
  };
}

/** Keeps the first bytes of media. */
export function keepHead(most: number): {
  readonly feed: (chunk: Uint8Array) => void;
  readonly bytes: () => Uint8Array;
} {
  let head = new Uint8Array(0);
  return {
    feed: (chunk) => {
      if (head.length < most) head = joined(head, chunk.subarray(0, most - head.length));
    },
    bytes: () => head,
  };
}

/** Reads bytes as characters, each byte one. */
export function latin(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** Two runs of bytes as one. */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
