import { MedzenError } from '@medzen/core';
import type { AuthFailure, IdentityAuth } from './auth.ts';

/**
 * Accepts what any of the ways accepts, tried in order. When all refuse, the reason of the way that came furthest is kept:
 * a token of the right issuer that has expired counts for more than one of another issuer.
 *
 * @throws MedzenError `invalid_configuration` without any way
 * @example
 * ```ts
 * import { anyOf, firebase, oidc } from '@medzen/security';
 * anyOf(firebase({ projectId: 'clinic' }), oidc({ issuer: 'https://id.clinic.example/', audience: 'api' }));
 * ```
 */
export function anyOf(...ways: readonly IdentityAuth[]): IdentityAuth {
  if (ways.length === 0) throw new MedzenError('invalid_configuration', 'anyOf needs at least one way');
  return {
    kind: 'identity',
    authenticate: async (headers, deps) => {
      let reason: AuthFailure = 'missing';
      let outage: unknown;
      for (const way of ways) {
        try {
          const verdict = await way.authenticate(headers, deps);
          if (verdict.ok) return verdict;
          if (weight(verdict.reason) > weight(reason)) reason = verdict.reason;
        } catch (error) {
          // One issuer's outage must not lock out the users of another.
          outage ??= error;
        }
      }
      if (outage !== undefined) throw outage;
      return { ok: false, reason };
    },
  };
}

const far: ReadonlySet<AuthFailure> = new Set([
  'expired',
  'not_yet_valid',
  'claims',
  'unknown_key',
  'signature',
  'refused',
]);

function weight(reason: AuthFailure): number {
  return reason === 'missing' ? 0 : far.has(reason) ? 2 : 1;
}
