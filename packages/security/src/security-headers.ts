/** Header fields set on every answer. */
export interface SecurityHeaders {
  /** Lower-case names. */
  readonly fields: Readonly<Record<string, string>>;
  /** Sets them, over whatever a handler wrote. */
  apply(headers: Headers): void;
}

/** Header preset and overrides. */
export interface SecurityHeadersOptions {
  /** `api` (default): nothing may be embedded, framed or run. `page`: own scripts and styles, camera and microphone. */
  readonly preset?: 'api' | 'page';
  /** Lower-case names; `false` leaves a field out (HSTS on a laptop, say). */
  readonly override?: Readonly<Record<string, string | false>>;
}

const denied =
  'accelerometer=(), autoplay=(), browsing-topics=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), idle-detection=(), magnetometer=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()';

const common = {
  'strict-transport-security': 'max-age=63072000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-site',
  'cache-control': 'no-store',
  // The filter of old browsers can itself be made to leak: it is switched off.
  'x-xss-protection': '0',
} as const;

const presets: Readonly<Record<'api' | 'page', Readonly<Record<string, string>>>> = {
  api: {
    ...common,
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    'permissions-policy': `${denied}, camera=(), microphone=()`,
  },
  page: {
    ...common,
    'content-security-policy':
      "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    'permissions-policy': `${denied.replace('fullscreen=()', 'fullscreen=(self)').replace('display-capture=()', 'display-capture=(self)')}, camera=(self), microphone=(self)`,
  },
};

/**
 * The header fields of a service that handles PHI.
 *
 * @see https://owasp.org/www-project-secure-headers/; RFC 6797 (HSTS); W3C CSP 3
 * @example
 * ```ts
 * import { securityHeaders } from '@medzen/security';
 * const headers = new Headers();
 * securityHeaders({ override: { 'strict-transport-security': false } }).apply(headers);
 * headers.get('cache-control'); // 'no-store'
 * ```
 */
export function securityHeaders(options: SecurityHeadersOptions = {}): SecurityHeaders {
  const fields: Record<string, string> = { ...presets[options.preset ?? 'api'] };
  for (const [name, value] of Object.entries(options.override ?? {})) {
    if (value === false) delete fields[name.toLowerCase()];
    else fields[name.toLowerCase()] = value;
  }
  return {
    fields,
    apply: (headers) => {
      for (const [name, value] of Object.entries(fields)) headers.set(name, value);
    },
  };
}
