import { MedzenError } from '@medzen/core';
import { type IpAddress, type IpRange, parseForwardedIp, parseIp, parseRange } from './ip-address.ts';
import type { ConnectionInfo, TrustedProxies } from './trusted-proxies.ts';

/** The client's IP and URL, as far as they can be trusted. */
export interface Client {
  /** Undefined when nothing trustworthy tells. */
  readonly ip: IpAddress | undefined;
  readonly url: URL;
  /** The same URL with the escapes that the client wrote, where the server tells: what a webhook's signature covers. */
  readonly receivedUrl: string;
}

/** Reads clients under fixed rules of trust. */
export type ReadClient = (request: Request, info: ConnectionInfo | undefined) => Client;

/**
 * @param publicOrigin - stands over whatever headers say of scheme and host
 * @throws MedzenError `invalid_configuration`
 */
export function createReadClient(trust: TrustedProxies | undefined, publicOrigin: string | undefined): ReadClient {
  const fixed = publicOrigin === undefined ? undefined : checkedOrigin(publicOrigin);
  const find = finder(trust);
  return (request, info) => {
    const peer = parseIp(info?.remoteAddress ?? info?.remoteAddr?.hostname ?? '');
    const { ip, forwarded } = find(request.headers, peer);
    const url = publicUrl(request, fixed, forwarded);
    return { ip, url, receivedUrl: received(url, info?.target) };
  };
}

function checkedOrigin(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.origin !== text || !/^https?:$/.test(url.protocol))
    throw new MedzenError('invalid_configuration', 'publicOrigin is not an origin (scheme://host[:port])');
  return url;
}

interface Found {
  readonly ip: IpAddress | undefined;
  /** Whether X-Forwarded-Proto and -Host come from a trusted proxy. */
  readonly forwarded: boolean;
}

function finder(trust: TrustedProxies | undefined): (headers: Headers, peer: IpAddress | undefined) => Found {
  if (trust === undefined) return (_headers, peer) => ({ ip: peer, forwarded: false });
  if ('header' in trust) {
    const name = trust.header;
    if (!/^[A-Za-z0-9-]+$/.test(name)) throw new MedzenError('invalid_configuration', 'header must be a header name');
    return (headers) => ({ ip: parseForwardedIp(headers.get(name) ?? ''), forwarded: false });
  }
  if ('hops' in trust) {
    const { hops } = trust;
    if (!(Number.isInteger(hops) && hops >= 1 && hops <= 16))
      throw new MedzenError('invalid_configuration', 'hops must be 1–16');
    return (headers) => {
      const item = forwardedFor(headers).at(-hops);
      return { ip: item === undefined ? undefined : parseForwardedIp(item), forwarded: item !== undefined };
    };
  }
  const ranges = trust.ranges.map((text) => {
    const range = parseRange(text);
    if (range === undefined)
      throw new MedzenError('invalid_configuration', `trusted proxies must be CIDR ranges such as 10.0.0.0/8: ${text}`);
    return range;
  });
  return (headers, peer) => outsideRanges(headers, peer, ranges);
}

function outsideRanges(headers: Headers, peer: IpAddress | undefined, ranges: readonly IpRange[]): Found {
  const trusted = (address: IpAddress): boolean => ranges.some((range) => range.contains(address));
  if (peer === undefined || !trusted(peer)) return { ip: peer, forwarded: false };
  for (const item of forwardedFor(headers).reverse()) {
    const address = parseForwardedIp(item);
    if (address === undefined) return { ip: undefined, forwarded: true };
    if (!trusted(address)) return { ip: address, forwarded: true };
  }
  return { ip: undefined, forwarded: true };
}

function forwardedFor(headers: Headers): string[] {
  const value = headers.get('x-forwarded-for');
  return value === null || value.length > 4096 ? [] : value.split(',');
}

function publicUrl(request: Request, fixed: URL | undefined, forwarded: boolean): URL {
  const url = new URL(request.url);
  // Put together as text: resolved against a base, a path that begins with `//` would name another host.
  const path = url.pathname + url.search;
  if (fixed !== undefined) return new URL(fixed.origin + path);
  if (!forwarded) return url;
  // The nearest proxy is the one that was trusted: its entry is the last.
  const scheme = lastOf(request.headers.get('x-forwarded-proto'));
  const host = lastOf(request.headers.get('x-forwarded-host'));
  const base = `${scheme === 'https' || scheme === 'http' ? scheme : url.protocol.slice(0, -1)}://${host ?? url.host}`;
  const valid = /^https?:\/\/[A-Za-z0-9.:[\]_-]+$/.test(base) && URL.canParse(base);
  return valid ? new URL(base + path) : url;
}

/** The target is the server's word; one that names anything else than the request would let a signature cover another request. */
function received(url: URL, target: string | undefined): string {
  if (target === undefined || !target.startsWith('/')) return url.href;
  const text = url.origin + target;
  return URL.canParse(text) && new URL(text).href === url.href ? text : url.href;
}

function lastOf(value: string | null): string | undefined {
  const last = value?.split(',').at(-1)?.trim();
  return last === '' ? undefined : last;
}
