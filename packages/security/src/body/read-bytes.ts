import { isMedzenError, MedzenError } from '@medzen/core';

/**
 * Reads a stream to its end, counting as it goes.
 *
 * @param maxBytes - one more ends the reading
 * @param signal - ends it as well
 * @throws MedzenError `body_too_large`; `invalid_input` when the stream breaks off
 */
export async function readBytes(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (stream === null) return new Uint8Array();
  const reader = stream.getReader();
  const stop = (): void => {
    reader.cancel().catch(() => undefined);
  };
  signal?.addEventListener('abort', stop, { once: true });
  const stopped = (): boolean => signal?.aborted === true;
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      if (stopped()) throw new MedzenError('invalid_input', 'The body did not arrive');
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > maxBytes) {
        stop();
        throw tooLarge(maxBytes);
      }
      chunks.push(value);
    }
    if (stopped()) throw new MedzenError('invalid_input', 'The body did not arrive');
  } catch (cause) {
    throw isMedzenError(cause) ? cause : new MedzenError('invalid_input', 'The body broke off', { cause });
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  return joined(chunks, length);
}

/** A body past its bound. */
export function tooLarge(maxBytes: number): MedzenError {
  return new MedzenError('body_too_large', 'The body is larger than this route takes', { detail: { maxBytes } });
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
