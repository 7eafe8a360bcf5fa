import { connect, createServer, type Socket } from 'node:net';

/** A TCP forwarder that can be cut, so that tests see a database go away as it does in service. */
export interface SeverableProxy {
  readonly port: number;
  /** Drops every connection and refuses new ones. */
  sever(): void;
  /** Keeps every connection and accepts new ones, but carries nothing, as a firewall that drops packets or a server that is stopped. */
  freeze(): void;
  /** Lets new connections through again, and what was held up. */
  mend(): void;
  close(): Promise<void>;
}

/** Starts a forwarder on a free port of loopback. */
export async function severableProxy(target: {
  readonly host: string;
  readonly port: number;
}): Promise<SeverableProxy> {
  const sockets = new Set<Socket>();
  let severed = false;
  let frozen = false;
  const thaw = new Set<() => void>();
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
  };
  const server = createServer((inner) => {
    if (severed) return void inner.resetAndDestroy(); // as one that refuses: to close it politely would be an answer
    track(inner);
    if (frozen) return void thaw.add(() => inner.resetAndDestroy()); // it was made to nobody: whoever waits on it tries again
    const outer = track(connect(target.port, target.host));
    inner.pipe(outer).pipe(inner);
    inner.once('close', () => outer.destroy());
    outer.once('close', () => inner.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port');
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    sever() {
      severed = true;
      drop();
    },
    freeze() {
      frozen = true;
      for (const socket of sockets) {
        socket.pause();
        thaw.add(() => void socket.resume());
      }
    },
    mend() {
      severed = false;
      frozen = false;
      for (const flow of thaw) flow();
      thaw.clear();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        drop();
      }),
  };
}
