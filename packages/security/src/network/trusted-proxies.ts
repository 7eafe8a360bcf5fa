/**
 * Which forwarding headers may be believed. Anything a client can write is a claim: without this, only the socket's
 * address counts.
 *
 * - `hops`: so many proxies of one's own append to `X-Forwarded-For`; the address that many places from the right counts.
 *   Fewer entries than hops means that the request did not come that way: no address is believed.
 * - `ranges`: the first address from the right that lies outside these CIDR ranges counts; one that cannot be read ends the search.
 * - `header`: the platform sets this header itself and overwrites what clients send (`cf-connecting-ip`, `fly-client-ip`).
 */
export type TrustedProxies =
  | { readonly hops: number }
  | { readonly ranges: readonly string[] }
  | { readonly header: string };

/** Connection data from the server. `toExpress` gives `remoteAddress`; Deno's second argument fits as is. */
export interface ConnectionInfo {
  /** The peer of the socket. */
  readonly remoteAddress?: string;
  /** As Deno names it. */
  readonly remoteAddr?: { readonly hostname?: string };
  /**
   * The request target as it stood in the request line, with the escapes that the client wrote: `/hook?name=O'Brien`. `Request` rewrites some of
   * them, and a webhook's signature covers what was sent. Ignored unless it names the same path and query as the request.
   */
  readonly target?: string;
  /** Keeps an edge runtime alive until the promise settles. */
  readonly waitUntil?: (promise: Promise<unknown>) => void;
}
