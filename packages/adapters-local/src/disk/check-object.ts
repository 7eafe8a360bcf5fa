import { MedzenError, type PutObjectOptions } from '@medzen/core';

const encoder: TextEncoder = new TextEncoder();

/**
 * Checks a key: 1–1024 bytes of UTF-8.
 *
 * @throws MedzenError `invalid_input`
 */
export function checkKey(key: string): void {
  const size = encoder.encode(key).length;
  if (size < 1 || size > 1024) throw new MedzenError('invalid_input', 'An object key has 1 to 1024 bytes');
  if (!key.isWellFormed()) throw new MedzenError('invalid_input', 'An object key is not well-formed Unicode');
}

/** Whether a text can stand in a header: printable ASCII, so that no line can be split. */
export function isHeaderText(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text);
}

/**
 * Checks what a put is given besides its bytes.
 *
 * @throws MedzenError `invalid_input`; the signal's reason when it was aborted already
 */
export function checkPut(key: string, options: PutObjectOptions): void {
  checkKey(key);
  if (!isHeaderText(options.contentType))
    throw new MedzenError('invalid_input', 'contentType must be non-empty printable ASCII');
  const { contentLength, sha256 } = options;
  if (contentLength !== undefined && !(Number.isSafeInteger(contentLength) && contentLength >= 0)) {
    throw new MedzenError('invalid_input', 'contentLength must be an integer ≥ 0');
  }
  if (sha256 !== undefined && sha256.length !== 32) throw new MedzenError('invalid_input', 'A SHA-256 has 32 bytes');
  options.signal?.throwIfAborted();
}

/** @throws MedzenError `checksum_mismatch` */
export function checkStored(options: PutObjectOptions, size: number, digest: Uint8Array): void {
  if (options.contentLength !== undefined && options.contentLength !== size) {
    throw new MedzenError('checksum_mismatch', `${size} bytes came, ${options.contentLength} were announced`);
  }
  const wanted = options.sha256;
  if (wanted?.some((byte, i) => byte !== digest[i])) {
    throw new MedzenError('checksum_mismatch', 'The bytes do not have the SHA-256 that was announced');
  }
}

/** Inclusive bounds of a part. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * The part of an object that a caller asks for.
 *
 * @throws MedzenError `invalid_input` when it starts past the end or ends before it starts
 */
export function spanOf(range: { readonly first: number; readonly last?: number } | undefined, size: number): Span {
  if (range === undefined) return { first: 0, last: size - 1 };
  const { first, last = Number.MAX_SAFE_INTEGER } = range;
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 0 || last < first || first >= size) {
    throw new MedzenError('invalid_input', 'The range is not within the object');
  }
  return { first, last: Math.min(last, size - 1) };
}

/** @throws MedzenError `invalid_input` */
export function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new MedzenError('invalid_input', 'limit must be an integer from 1 to 1000');
  }
}

/** @throws MedzenError `invalid_input` */
export function checkDeletion(versions: readonly { readonly key: string }[]): void {
  if (versions.length > 1000) throw new MedzenError('invalid_input', 'One call deletes at most 1000 versions');
  for (const { key } of versions) checkKey(key);
}

/**
 * Reads a stream chunk by chunk, letting go of it on every way out.
 *
 * @param signal - when aborted, the stream is cancelled and its reason thrown
 */
export async function* chunksOf(
  body: Uint8Array | ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  if (body instanceof Uint8Array) {
    yield body;
    return;
  }
  const reader = body.getReader();
  const abort = (): void => {
    reader.cancel(signal?.reason).catch(() => undefined); // a source that fails while it is let go has nothing to add
  };
  signal?.addEventListener('abort', abort, { once: true });
  let ended = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    if (!ended) await reader.cancel(signal?.reason).catch(() => undefined); // as above
    reader.releaseLock();
  }
}
