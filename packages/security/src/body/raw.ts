import { type ByteSize, byteSize } from '../duration.ts';
import type { BodyReader } from './body-reader.ts';

/** Bounds of a raw body. */
export interface RawOptions {
  readonly maxBytes: ByteSize;
  /** Accepted media types; absent = any. */
  readonly mediaTypes?: readonly string[];
}

/**
 * The bytes as they came.
 *
 * @example
 * ```ts
 * import { raw } from '@medzen/security';
 * raw({ maxBytes: '64kb', mediaTypes: ['application/octet-stream'] });
 * ```
 */
export function raw(options: RawOptions): BodyReader<Uint8Array> {
  return {
    mediaTypes: (options.mediaTypes ?? []).map((type) => type.toLowerCase()),
    maxBytes: byteSize(options.maxBytes),
    parse: async (bytes) => bytes,
  };
}
