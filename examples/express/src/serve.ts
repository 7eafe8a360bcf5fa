import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that listens. */
export interface Listening {
  readonly port: number;
  /** Takes no new connection, and resolves when every answer under way was sent. */
  close(): Promise<void>;
}

/** What is still under way this long after the end has begun is cut off. */
const graceMs = 30_000;

/**
 * Listens, with bounds on how long a client may take.
 *
 * @param options.port - 0 for a free one
 */
export async function listen(
  handler: RequestListener,
  options: { readonly host: string; readonly port: number },
): Promise<Listening> {
  const server = createServer({ requestTimeout: 60_000, headersTimeout: 10_000 }, handler);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    close: async () => {
      const patience = setTimeout(() => server.closeAllConnections(), graceMs);
      await new Promise<void>((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeIdleConnections();
      });
      clearTimeout(patience);
    },
  };
}
