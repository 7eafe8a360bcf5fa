import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { BodyReader } from './body/body-reader.ts';
import { createGuard, type Lacking } from './guard.ts';
import type { GuardDeps } from './guard-deps.ts';
import type { Auth } from './identity/auth.ts';
import type { GuardedHandler, Handler, Policy } from './policy.ts';
import type { Route } from './route.ts';

/**
 * One guarded route on its own. Several routes share a guard instead (`createGuard`), so that they count denials together.
 *
 * @param policy - with `deps`: what `createGuard` takes
 * @throws MedzenError `invalid_configuration`
 * @example
 * ```ts
 * import type { Stores } from '@medzen/core';
 * import { publicRoute, secure } from '@medzen/security';
 * declare const stores: Stores;
 * export default {
 *   fetch: secure(
 *     { deps: { audit: stores.audit }, route: 'GET /healthz', auth: publicRoute('health probe') },
 *     () => new Response('ok'),
 *   ),
 * };
 * ```
 */
export function secure<
  const R extends Route,
  A extends Auth,
  D extends GuardDeps,
  P extends StandardSchemaV1 | undefined = undefined,
  Q extends StandardSchemaV1 | undefined = undefined,
  B extends BodyReader<unknown> | undefined = undefined,
>(policy: Policy<R, A, P, Q, B> & Lacking<D> & { readonly deps: D }, handler: Handler<R, A, P, Q, B>): GuardedHandler {
  const { deps, ...rest } = policy;
  // A rest of an intersection of generics is opaque to the compiler; only `deps` was taken away.
  return createGuard<D>(deps).secure<R, A, P, Q, B>(rest as unknown as Policy<R, A, P, Q, B> & Lacking<D>, handler);
}
