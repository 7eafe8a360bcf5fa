import type { IncomingMessage } from 'node:http';

/** A request as Express hands it on, or as Node's own server does. */
export interface ExpressRequest extends IncomingMessage {
  readonly originalUrl?: string;
}
