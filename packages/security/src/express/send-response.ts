import type { ServerResponse } from 'node:http';

/**
 * Writes a web response, no faster than the client reads, and stops when the client goes away.
 *
 * @param headOnly - of a HEAD request: the body is not sent
 */
export async function sendResponse(response: Response, outgoing: ServerResponse, headOnly: boolean): Promise<void> {
  const { body } = response;
  if (outgoing.destroyed) {
    await body?.cancel();
    return;
  }
  outgoing.statusCode = response.status;
  if (response.statusText !== '') outgoing.statusMessage = response.statusText;
  // What Express adds of itself tells a stranger which holes to try.
  outgoing.removeHeader('x-powered-by');
  for (const [name, value] of response.headers) if (name !== 'set-cookie') outgoing.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) outgoing.setHeader('set-cookie', cookies);
  if (body === null || headOnly) {
    await body?.cancel();
    outgoing.end();
    return;
  }
  await pump(body, outgoing);
}

async function pump(body: ReadableStream<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  const reader = body.getReader();
  const closed = (): void => {
    reader.cancel().catch(() => undefined);
  };
  outgoing.once('close', closed);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || outgoing.destroyed) break;
      if (!outgoing.write(value)) await drained(outgoing);
    }
    outgoing.end();
  } catch {
    // The status is gone out; a broken connection is the only way left to say that the body is not whole.
    outgoing.destroy();
  } finally {
    outgoing.off('close', closed);
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done);
      outgoing.off('close', done);
      resolve();
    };
    outgoing.once('drain', done);
    outgoing.once('close', done);
    if (outgoing.destroyed) done();
  });
}
