/**
 * The body of a message of a stranger, as strict UTF-8.
 *
 * @param limit - bytes; not one more is kept
 */
export async function readText(
  message: { readonly body: ReadableStream<Uint8Array> | null },
  limit: number,
): Promise<{ readonly text: string } | { readonly failure: 'too long' | 'unreadable' }> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  let bytes = 0;
  try {
    for await (const chunk of message.body ?? []) {
      bytes += chunk.length;
      if (bytes > limit) return { failure: 'too long' };
      text += decoder.decode(chunk, { stream: true });
    }
    return { text: text + decoder.decode() };
  } catch {
    return { failure: 'unreadable' }; // cut off, or no UTF-8
  }
}
