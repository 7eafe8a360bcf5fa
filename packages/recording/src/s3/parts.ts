/**
 * Cuts a body into parts of one size; the last may be shorter, and an empty body is one empty part. One buffer serves all
 * parts of a stream, so memory stays flat: a part must have been used before the next is asked for.
 *
 * @param size - bytes of a part
 * @param signal - when aborted, the stream is let go of and the signal's reason thrown
 */
export async function* partsOf(
  body: Uint8Array | ReadableStream<Uint8Array>,
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  if (body instanceof Uint8Array) {
    for (let at = 0; at === 0 || at < body.length; at += size) {
      signal?.throwIfAborted();
      yield body.subarray(at, at + size);
    }
    return;
  }
  const reader = body.getReader();
  const letGo = (): Promise<void> => reader.cancel(signal?.reason).catch(() => undefined); // a source that fails while it is let go has nothing to add
  signal?.addEventListener('abort', letGo, { once: true });
  let ended = false;
  let buffer = new Uint8Array(Math.min(size, 65_536));
  let filled = 0;
  let parts = 0;
  try {
    while (!ended) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      ended = done;
      let rest = value ?? new Uint8Array();
      while (rest.length > 0) {
        const taken = rest.subarray(0, size - filled);
        if (buffer.length < filled + taken.length) {
          // small objects cost little; a full part's buffer is made once and kept
          const larger = new Uint8Array(Math.min(size, Math.max(buffer.length * 4, filled + taken.length)));
          larger.set(buffer.subarray(0, filled));
          buffer = larger;
        }
        buffer.set(taken, filled);
        filled += taken.length;
        rest = rest.subarray(taken.length);
        if (filled < size) continue;
        parts += 1;
        yield buffer;
        filled = 0;
      }
    }
    if (filled > 0 || parts === 0) yield buffer.subarray(0, filled);
  } finally {
    signal?.removeEventListener('abort', letGo);
    if (!ended) await letGo();
    reader.releaseLock();
  }
}
