/** What browsers on the list may do. */
export interface OriginOptions {
  /** Cookies and HTTP authentication. Default false: tokens travel in a header. Refused together with a wildcard or plain http. */
  readonly credentials?: boolean;
  /** Request header fields beyond the safelisted. Default `authorization`, `content-type`, `x-request-id`. */
  readonly allowHeaders?: readonly string[];
  /** Response header fields a page may read. Default `x-request-id`, `retry-after`, `ratelimit`, `ratelimit-policy`. */
  readonly exposeHeaders?: readonly string[];
  /** Seconds a browser may cache a preflight response, 0–7200. Default 600. */
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
