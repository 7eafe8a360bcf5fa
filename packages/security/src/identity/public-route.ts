import { MedzenError } from '@medzen/core';
import type { PublicAuth } from './auth.ts';

/**
 * Opens a route to anyone. The handler's context then has no actor and no scope, so that it cannot be passed where a
 * `CallContext` is wanted: a public route does not reach PHI.
 *
 * @param why - one sentence for the reader of the policy
 * @throws MedzenError `invalid_configuration` without a reason
 * @example
 * ```ts
 * import { publicRoute } from '@medzen/security';
 * const auth = publicRoute('health probe of the load balancer');
 * auth.kind; // 'public'
 * ```
 */
export function publicRoute(why: string): PublicAuth {
  if (why.trim() === '') throw new MedzenError('invalid_configuration', 'A public route needs a reason');
  return { kind: 'public', why };
}
