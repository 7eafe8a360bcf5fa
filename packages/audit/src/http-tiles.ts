import { MedzenError } from '@medzen/core';
import type { TileSource } from './tile-storage.ts';

/** How the files are fetched. */
export interface HttpTilesOptions {
  readonly fetch?: (request: Request) => Promise<Response>;
  /** For each file, 1–120 000; 30 000 when absent. */
  readonly timeoutMs?: number;
}

/** The largest file there is: 256 entries of 65 535 bytes, each behind its length. */
const maxBytes = 256 * (65_535 + 2);

/**
 * A log's static files on a web server.
 *
 * @param prefix - `https://…/`; the paths of C2SP tlog-tiles are added to its own; a query stays
 * @throws MedzenError `invalid_configuration` for a URL that is none
 * @example
 * ```ts
 * import { httpTiles } from '@medzen/audit';
 * const checkpoint = () => httpTiles('https://log.clinic.example/').read('checkpoint');
 * ```
 */
export function httpTiles(prefix: string, options: HttpTilesOptions = {}): TileSource {
  const { timeoutMs = 30_000, fetch: send = (request: Request) => fetch(request) } = options;
  if (!URL.canParse(prefix)) throw new MedzenError('invalid_configuration', 'prefix must be an absolute URL');
  const urlOf = (path: string): URL => {
    const url = new URL(prefix);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`;
    return url;
  };
  return {
    read: async (path) => {
      try {
        const response = await send(new Request(urlOf(path), { signal: AbortSignal.timeout(timeoutMs) }));
        if (response.status === 404 || response.status === 403) return undefined; // S3 says 403 for what is not there to one who may not list
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        return await bytesOf(response);
      } catch (cause) {
        throw new MedzenError('store_unavailable', 'A file of the log could not be fetched', {
          cause,
          detail: { path },
        });
      }
    },
  };
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw new Error('too long');
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
