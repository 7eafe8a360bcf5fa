import { parse } from 'tldts';
import { createOriginList } from './create-origin-list.ts';
import type { OriginList } from './origin-list.ts';

/**
 * Origins that browsers may call from: exact ones, and `https://*.clinic.example` for any subdomain at any depth (the
 * domain itself is not among them). No regular expressions, no bare `*`, no `null`. A pattern that a browser could never
 * send, or that would let strangers in, is refused here and not at the first request: paths, default ports, upper case,
 * public suffixes.
 *
 * The list of public suffixes weighs some 47 kB gzipped in a bundle; `exactOrigins` does without it.
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
  return createOriginList(patterns, suffixObjection);
}

/** @see https://publicsuffix.org, its private part included: `github.io` is as open as `com` */
function suffixObjection(host: string): string | undefined {
  if (host === 'localhost') return undefined;
  const { publicSuffix } = parse(host, { allowPrivateDomains: true, validateHostname: false });
  return publicSuffix === host ? 'anyone can register a name under a public suffix' : undefined;
}
