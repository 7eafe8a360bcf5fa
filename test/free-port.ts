import { createServer } from 'node:net';

/**
 * Finds a port of loopback that nobody listens on and that the system gives to nobody unasked: it lies below the range of ephemeral ports
 * (from 32768 on Linux, from 49152 elsewhere), so that no connection of another test takes it before it is used.
 *
 * @throws Error when a hundred ports are taken
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) return port;
  }
  throw new Error('No port between 20000 and 32000 is free; end what listens there');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
