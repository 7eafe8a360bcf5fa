import type { IncomingMessage } from 'node:http';

/** A request as Express hands it on, or as Node's own server does. */
export type ExpressRequest = IncomingMessage & {
  /** The target before routers cut their mount path off. */
  readonly originalUrl?: string;
};
