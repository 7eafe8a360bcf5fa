import { MedzenError } from '@medzen/core';

/** What browsers on the list may do. */
export interface OriginOptions {
  /** Cookies and HTTP authentication. Default false: tokens travel in a header. Refused together with a wildcard. */
  readonly credentials?: boolean;
  /** Request header fields beyond the safelisted. Default `authorization`, `content-type`, `x-request-id`. */
  readonly allowHeaders?: readonly string[];
  /** Response header fields a page may read. Default `x-request-id`, `retry-after`, `ratelimit`, `ratelimit-policy`. */
  readonly exposeHeaders?: readonly string[];
  /** How long a browser may keep a preflight's answer. 0–7200 s, default 600. */
  readonly maxAgeSeconds?: number;
}

/** A checked list of origins that browsers may call from. */
export interface OriginList {
  readonly patterns: readonly string[];
  readonly credentials: boolean;
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number;
  /**
   * @param origin - the value of an `Origin` header field, exactly as sent
   */
  allows(origin: string): boolean;
  /** The same list with other options. */
  with(options: OriginOptions): OriginList;
}

/**
 * Origins that browsers may call from: exact ones, and `https://*.clinic.example` for any subdomain at any depth (the domain itself is
 * not among them). No regular expressions, no bare `*`, no `null`. A pattern that a browser could never send, or
 * that would let strangers in, is refused here and not at the first request: paths, default ports, upper case, public suffixes.
 *
 * @throws MedzenError `invalid_configuration`, naming the pattern and the rule
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol; RFC 6454
 * @example
 * ```ts
 * import { origins } from '@medzen/security';
 * const list = origins('https://app.example.com', 'https://*.clinic.example.com');
 * list.allows('https://a.clinic.example.com'); // true
 * list.allows('https://clinic.example.com.evil.net'); // false
 * ```
 */
export function origins(...patterns: readonly string[]): OriginList {
  throw new MedzenError('internal', `Being written ${patterns.length}`);
}
