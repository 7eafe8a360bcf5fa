import type { OriginList } from './origin-list.ts';

/** CORS verdict on a request. */
export type CorsVerdict =
  /** Not a browser's cross-origin request, or from an origin on the list. */
  | { readonly kind: 'pass' }
  /** A preflight and its whole answer, allowed or not. */
  | { readonly kind: 'preflight'; readonly response: Response; readonly allowed: boolean }
  /** From an origin that is not on the list. Only methods that change something are refused; the rest cannot be read. */
  | { readonly kind: 'refuse' };

/** Options of a CORS check. */
export interface CorsOptions {
  /** Methods that the path answers, upper case. */
  readonly methods: readonly string[];
  /** The service's own origin: a page of its own is not cross-origin. */
  readonly ownOrigin?: string;
}

/** CORS for one path. */
export interface Cors {
  check(request: Request): CorsVerdict;
  /** Removes what a handler wrote of CORS and writes what holds. To be called on every answer, refusals and errors too. */
  apply(headers: Headers, request: Request): void;
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const safelisted: ReadonlySet<string> = new Set(['accept', 'accept-language', 'content-language', 'content-type']);

/**
 * The CORS protocol, alone: for the pipeline of another framework.
 *
 * @param list - who may call; undefined = no other origin
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol
 * @example
 * ```ts
 * import { cors, origins } from '@medzen/security';
 * const check = cors(origins('https://app.example.com'), { methods: ['POST'] });
 * check.check(new Request('https://api.example.com/x', { method: 'POST' })).kind; // 'pass'
 * ```
 */
export function cors(list: OriginList | undefined, options: CorsOptions): Cors {
  const allows = (origin: string): boolean => list?.allows(origin) === true;
  return {
    check: (request) => {
      const origin = request.headers.get('origin');
      if (origin === null || origin === options.ownOrigin) return { kind: 'pass' };
      const wanted = request.headers.get('access-control-request-method');
      if (request.method === 'OPTIONS' && wanted !== null) {
        const allowed =
          list !== undefined && allows(origin) && options.methods.includes(wanted) && headersAllowed(request, list);
        return { kind: 'preflight', allowed, response: preflight(allowed ? list : undefined, origin, options.methods) };
      }
      return allows(origin) || safeMethods.has(request.method) ? { kind: 'pass' } : { kind: 'refuse' };
    },
    apply: (headers, request) => {
      for (const name of [...headers.keys()]) if (name.startsWith('access-control-')) headers.delete(name);
      vary(headers, 'Origin');
      const origin = request.headers.get('origin');
      if (list === undefined || origin === null || !list.allows(origin)) return;
      allowOrigin(headers, list, origin);
      if (list.exposeHeaders.length > 0) headers.set('access-control-expose-headers', list.exposeHeaders.join(', '));
    },
  };
}

function allowOrigin(headers: Headers, list: OriginList, origin: string): void {
  headers.set('access-control-allow-origin', origin);
  if (list.credentials) headers.set('access-control-allow-credentials', 'true');
}

/** Browsers send the names lower-case, sorted and separated by bare commas; others are given some room. */
function headersAllowed(request: Request, list: OriginList): boolean {
  const names = request.headers.get('access-control-request-headers') ?? '';
  if (names.length > 4096) return false;
  return names.split(',').every((raw) => {
    const name = raw.trim().toLowerCase();
    return name === '' || safelisted.has(name) || list.allowHeaders.includes(name);
  });
}

function preflight(list: OriginList | undefined, origin: string, methods: readonly string[]): Response {
  const headers = new Headers({
    vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    'cache-control': 'no-store',
  });
  if (list === undefined) return new Response(null, { status: 403, headers });
  allowOrigin(headers, list, origin);
  headers.set('access-control-allow-methods', methods.join(', '));
  if (list.allowHeaders.length > 0) headers.set('access-control-allow-headers', list.allowHeaders.join(', '));
  headers.set('access-control-max-age', String(list.maxAgeSeconds));
  return new Response(null, { status: 204, headers });
}

/** Adds a name to `Vary` unless it stands there. */
function vary(headers: Headers, name: string): void {
  const value = headers.get('vary');
  if (value === null) {
    headers.set('vary', name);
    return;
  }
  const present = value.split(',').map((part) => part.trim().toLowerCase());
  if (!present.includes('*') && !present.includes(name.toLowerCase())) headers.append('vary', name);
}
