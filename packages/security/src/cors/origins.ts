import { MedzenError } from '@medzen/core';
import { type OriginPattern, parseOriginPattern } from './origin-pattern.ts';

/** What browsers on the list may do. */
export interface OriginOptions {
  /** Cookies and HTTP authentication. Default false: tokens travel in a header. Refused together with a wildcard or plain http. */
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
  /** Lower case. */
  readonly allowHeaders: readonly string[];
  /** Lower case. */
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number;
  /**
   * @param origin - the value of an `Origin` header field, exactly as sent
   */
  allows(origin: string): boolean;
  /**
   * The same list with other options.
   *
   * @throws MedzenError `invalid_configuration`
   */
  with(options: OriginOptions): OriginList;
}

/**
 * Origins that browsers may call from: exact ones, and `https://*.clinic.example` for any subdomain at any depth (the
 * domain itself is not among them). No regular expressions, no bare `*`, no `null`. A pattern that a browser could never
 * send, or that would let strangers in, is refused here and not at the first request: paths, default ports, upper case,
 * public suffixes.
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
  if (patterns.length === 0) throw new MedzenError('invalid_configuration', 'An origin list needs at least one origin');
  return build(patterns.map(parseOriginPattern), patterns, {});
}

const fieldName = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

function fieldNames(names: readonly string[]): readonly string[] {
  const lower = names.map((name) => name.toLowerCase());
  if (lower.some((name) => name === '*' || !fieldName.test(name)))
    throw new MedzenError('invalid_configuration', 'Not names of header fields');
  return lower;
}

function build(list: readonly OriginPattern[], patterns: readonly string[], options: OriginOptions): OriginList {
  const { credentials = false, maxAgeSeconds = 600 } = options;
  if (!(Number.isInteger(maxAgeSeconds) && maxAgeSeconds >= 0 && maxAgeSeconds <= 7200))
    throw new MedzenError('invalid_configuration', 'maxAgeSeconds must be 0–7200');
  if (credentials) checkCredentials(list);
  const exact = new Set(list.flatMap((entry) => (entry.kind === 'exact' ? [entry.origin] : [])));
  const wild = list.flatMap((entry) => (entry.kind === 'subdomains' ? [entry] : []));
  return {
    patterns,
    credentials,
    allowHeaders: fieldNames(options.allowHeaders ?? ['authorization', 'content-type', 'x-request-id']),
    exposeHeaders: fieldNames(
      options.exposeHeaders ?? ['x-request-id', 'retry-after', 'ratelimit', 'ratelimit-policy'],
    ),
    maxAgeSeconds,
    allows: (origin) => exact.has(origin) || (wild.length > 0 && underAny(origin, wild)),
    with: (more) => build(list, patterns, { ...options, ...more }),
  };
}

function checkCredentials(list: readonly OriginPattern[]): void {
  for (const entry of list) {
    if (entry.kind === 'subdomains')
      throw new MedzenError('invalid_configuration', 'Credentials need exact origins: any subdomain could use them');
    const loopback = entry.host === 'localhost' || entry.host === '127.0.0.1' || entry.host === '[::1]';
    if (entry.scheme === 'http' && !loopback)
      throw new MedzenError(
        'invalid_configuration',
        'Credentials need https origins: anyone on the way could use them',
      );
  }
}

const originShape = /^([a-z]+):\/\/([a-z0-9_.-]{1,253})(?::([1-9]\d{0,4}))?$/;

function underAny(
  origin: string,
  wild: readonly { readonly scheme: string; readonly suffix: string; readonly port: string }[],
): boolean {
  const found = originShape.exec(origin);
  if (found === null) return false;
  const [, scheme = '', host = '', port = ''] = found;
  return wild.some(
    (entry) =>
      entry.scheme === scheme &&
      entry.port === port &&
      host.endsWith(entry.suffix) &&
      /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(host.slice(0, -entry.suffix.length)),
  );
}
