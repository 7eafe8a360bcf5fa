import { MedzenError } from '@medzen/core';

/** The methods a route may have. GET also answers HEAD. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * A route as a template: `'POST /v1/sessions/:id/recording'`. The template, never the path, stands in rate-limit keys
 * and audit events, because a path may carry an identifier of a person.
 */
export type Route = `${Method} /${string}`;

/** The names of a template's parameters. */
export type RouteParamNames<Path extends string> = Path extends `${infer Head}/${infer Tail}`
  ? RouteParamNames<Head> | RouteParamNames<Tail>
  : Path extends `:${infer Name}`
    ? Name
    : never;

/** The parameters that a route template names, each a decoded text. */
export type RouteParams<R extends Route> = { readonly [Name in RouteParamNames<R>]: string };

/** A route template taken apart. */
export interface RoutePattern {
  readonly template: Route;
  readonly method: Method;
  /** The path of the template. */
  readonly path: string;
  /** Checks whether the route answers this method: its own, and HEAD for GET. */
  accepts(method: string): boolean;
  /**
   * @param pathname - as in `URL.pathname`, still percent-encoded
   * @returns the decoded parameters, or undefined when the path is another
   */
  match(pathname: string): Readonly<Record<string, string>> | undefined;
}

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const literalPattern = /^[A-Za-z0-9._~$&',;=@-]*$/;

/**
 * Reads a route template. A parameter is a whole segment; there are no wildcards and no optional parts, so that a
 * template says exactly which paths it covers.
 *
 * @param template - method, one space, path
 * @throws MedzenError `invalid_configuration`
 * @example
 * ```ts
 * import { parseRoute } from '@medzen/security';
 * parseRoute('GET /v1/recordings/:id').match('/v1/recordings/a%20b'); // { id: 'a b' }
 * ```
 */
export function parseRoute(template: Route): RoutePattern {
  const refuse = (): never => {
    throw new MedzenError('invalid_configuration', `Route must be 'METHOD /path/:param': ${template}`);
  };
  const found = /^(GET|POST|PUT|PATCH|DELETE) (\/\S*)$/.exec(template);
  if (found === null) return refuse();
  const [, word = '', path = ''] = found;
  const segments = path.split('/');
  const names = segments.filter((segment) => segment.startsWith(':')).map((segment) => segment.slice(1));
  if (new Set(names).size !== names.length || names.some((name) => !namePattern.test(name))) refuse();
  if (segments.some((segment) => !segment.startsWith(':') && !literalPattern.test(segment))) refuse();
  const method = word as Method; // one of the alternatives of the pattern
  return {
    template,
    method,
    path,
    accepts: (given) => given === method || (given === 'HEAD' && method === 'GET'),
    match: (pathname) => matchSegments(segments, pathname.split('/')),
  };
}

function matchSegments(
  segments: readonly string[],
  given: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (segments.length !== given.length) return undefined;
  const params: Record<string, string> = Object.create(null) as Record<string, string>; // no prototype: names are the host's
  for (const [i, segment] of segments.entries()) {
    const text = given[i] ?? '';
    if (!segment.startsWith(':')) {
      if (segment !== text) return undefined;
      continue;
    }
    const value = decoded(text);
    if (value === undefined || value === '') return undefined;
    params[segment.slice(1)] = value;
  }
  return params;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
