import { untilAborted } from '../verify/until-aborted.ts';

/** The longest line that anybody of ours has written: an event, and nothing is kept of what is longer. */
const longest = 65_536;

/**
 * The lines of a stream, without their line feeds; each is a copy. What stands behind the last line feed is a line too, of whatever length: the
 * caller counts. In flat memory: a line past 65 536 bytes ends the reading, as a line that is too long.
 *
 * @param hasher - is given every byte that was read
 * @param signal - ends the reading with its reason, while nothing comes too
 */
export async function* readLines(
  body: ReadableStream<Uint8Array>,
  hasher: { update(bytes: Uint8Array): void },
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array();
  for await (const chunk of chunksOf(body, signal)) {
    hasher.update(chunk);
    let from = 0;
    for (let to = chunk.indexOf(0x0a); to >= 0; to = chunk.indexOf(0x0a, from)) {
      yield joined(rest, chunk.subarray(from, to));
      rest = new Uint8Array();
      from = to + 1;
    }
    rest = joined(rest, chunk.subarray(from));
    if (rest.length > longest) break;
  }
  if (rest.length > 0) yield rest;
}

async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let whole = false;
  try {
    for (;;) {
      const { done, value } = await untilAborted(signal, reader.read());
      whole = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!whole) reader.cancel().catch(() => {}); // nobody waits for what a hung stream does with it
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
