import type { RateLimitStore } from '@medzen/core';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { AnyHandler, AnyPolicy } from './any-policy.ts';
import type { BodyReader } from './body/body-reader.ts';
import type { GuardDeps } from './guard-deps.ts';
import { guardRoute } from './guard-route.ts';
import { createGuardTools } from './guard-tools.ts';
import type { Auth } from './identity/auth.ts';
import type { GuardedHandler, Handler, Policy } from './policy.ts';
import type { Route } from './route.ts';

/** Policy fields that are unavailable because the guard lacks their store. */
export type Lacking<D extends GuardDeps> = D extends { readonly limits: RateLimitStore }
  ? unknown
  : { readonly limits?: never };

/** Makes guarded handlers that share stores, clock and counters. */
export interface Guard<D extends GuardDeps = GuardDeps> {
  /**
   * @throws MedzenError `invalid_configuration` for a policy that contradicts itself or needs what the guard lacks
   */
  secure<
    const R extends Route,
    A extends Auth,
    P extends StandardSchemaV1 | undefined = undefined,
    Q extends StandardSchemaV1 | undefined = undefined,
    B extends BodyReader<unknown> | undefined = undefined,
  >(policy: Policy<R, A, P, Q, B> & Lacking<D>, handler: Handler<R, A, P, Q, B>): GuardedHandler;

  /** Writes the counted denials. Call it at shutdown, and from a timer if quiet hours should not hold them back. */
  flush(): Promise<void>;
}

/**
 * Gathers what policies need, once a process.
 *
 * @throws MedzenError `invalid_configuration`
 * @example
 * ```ts
 * import type { Stores } from '@medzen/core';
 * import { createGuard, json, limit, oidc, roles } from '@medzen/security';
 * import { z } from 'zod';
 * declare const stores: Stores;
 * const { secure } = createGuard({ audit: stores.audit, limits: stores.limits, trustedProxies: { hops: 1 } });
 * const start = secure(
 *   {
 *     route: 'POST /v1/sessions/:id/recording',
 *     auth: oidc({ issuer: 'https://id.clinic.example/', audience: 'api' }),
 *     allow: roles('provider'),
 *     limits: [limit('recording-start', { rate: 10, per: '1m', by: 'user' })],
 *     params: z.object({ id: z.uuid() }),
 *     body: json(z.object({ reason: z.string().max(200) })),
 *   },
 *   async (_request, ctx) => Response.json({ session: ctx.params.id, by: ctx.actor.id, reason: ctx.body.reason }),
 * );
 * await start(new Request('https://api.clinic.example/v1/sessions/1/recording', { method: 'POST' }));
 * ```
 */
export function createGuard<const D extends GuardDeps>(deps: D): Guard<D> {
  const tools = createGuardTools(deps);
  return {
    // Inside, one shape serves every policy; the types outside are what ties a policy to its handler.
    secure: (policy, handler) => guardRoute(tools, policy as unknown as AnyPolicy, handler as unknown as AnyHandler),
    flush: () => tools.denials.flush(),
  };
}
