import { MedzenError } from '@medzen/core';
import type { FetchHandler, GuardedHandler } from './policy.ts';
import { problemResponse } from './problem-response.ts';
import { securityHeaders } from './security-headers.ts';

/**
 * Puts guarded routes together: for one server, one edge function, or one path with several methods, whose preflights
 * only the route of the wanted method can answer. An unknown path is answered 404, another method 405.
 *
 * @throws MedzenError `invalid_configuration` when two routes are the same
 * @example
 * ```ts
 * import type { Stores } from '@medzen/core';
 * import { createGuard, publicRoute, routes } from '@medzen/security';
 * declare const stores: Stores;
 * const { secure } = createGuard({ audit: stores.audit });
 * const health = secure({ route: 'GET /healthz', auth: publicRoute('health probe') }, () => new Response('ok'));
 * export default { fetch: routes(health) };
 * ```
 */
export function routes(...handlers: readonly GuardedHandler[]): FetchHandler {
  const templates = handlers.map(({ pattern }) => pattern.template.replaceAll(/:[^/]+/g, ':'));
  if (new Set(templates).size !== templates.length)
    throw new MedzenError('invalid_configuration', 'Two routes are the same');
  const headers = securityHeaders();
  return async (request, info) => {
    const { pathname } = new URL(request.url);
    const here = handlers.filter(({ pattern }) => pattern.match(pathname) !== undefined);
    const chosen = here.length === 0 ? undefined : choose(request, here);
    if (chosen !== undefined) return chosen(request, info);
    const response = problemResponse(
      here.length === 0
        ? new MedzenError('not_found', 'There is nothing under this path')
        : new MedzenError('method_not_allowed', 'This path has no such method'),
    );
    if (here.length > 0) response.headers.set('allow', allowed(here));
    headers.apply(response.headers);
    response.headers.set('vary', 'Origin');
    return response;
  };
}

/** A preflight for a method that the path lacks is refused, and the refusal written down, by any of its routes. */
function choose(request: Request, here: readonly GuardedHandler[]): GuardedHandler | undefined {
  const wanted = request.method === 'OPTIONS' ? request.headers.get('access-control-request-method') : request.method;
  if (wanted === null) return undefined;
  const fit = here.find(({ pattern }) => pattern.accepts(wanted));
  return fit ?? (request.method === 'OPTIONS' ? here[0] : undefined);
}

function allowed(here: readonly GuardedHandler[]): string {
  return here.flatMap(({ pattern }) => (pattern.method === 'GET' ? ['GET', 'HEAD'] : [pattern.method])).join(', ');
}
