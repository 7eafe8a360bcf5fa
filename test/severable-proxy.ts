import { connect, createServer, type Socket } from 'node:net';

/** A TCP forwarder that can be cut, so that tests see a database go away as it does in service. */
export interface SeverableProxy {
  readonly port: number;
  /** Drops every connection and refuses new ones. */
  sever(): void;
  /** Lets new connections through again. */
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
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
  };
  const server = createServer((inner) => {
    if (severed) return void inner.resetAndDestroy(); // as one that refuses: to close it politely would be an answer
    const outer = track(connect(target.port, target.host));
    track(inner).pipe(outer).pipe(inner);
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
    mend() {
      severed = false;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        drop();
      }),
  };
}
