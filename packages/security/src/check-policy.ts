import { MedzenError } from '@medzen/core';
import type { AnyPolicy } from './any-policy.ts';
import type { Rule } from './authorize.ts';
import type { GuardTools } from './guard-tools.ts';

/** The rules of a policy, as a list. */
export function rulesOf(policy: Pick<AnyPolicy, 'allow'>): readonly Rule[] {
  const { allow } = policy;
  return allow === undefined ? [] : 'authorize' in allow ? [allow] : allow;
}

/**
 * Refuses a policy that contradicts itself, when the service starts and not at the first request.
 *
 * @throws MedzenError `invalid_configuration`, naming the route
 */
export function checkPolicy(policy: AnyPolicy, tools: GuardTools): void {
  const { route, auth, limits = [], body } = policy;
  const refuse = (why: string): never => {
    throw new MedzenError('invalid_configuration', `${route}: ${why}`);
  };
  // Hosts that do not type-check reach this too.
  if (typeof (auth as unknown) !== 'object' || auth === null || !('kind' in auth)) refuse('auth is missing');
  const rules = rulesOf(policy);
  if (auth.kind === 'public') {
    if (rules.length > 0) refuse('a public route has no actor to authorise');
    if (policy.purpose !== undefined) refuse('a public route has no purpose of use');
    if (limits.some((limit) => limit.by === 'user' || limit.by === 'tenant'))
      refuse('a public route has no actor to count by');
  }
  if (limits.length > 0 && tools.limiter === undefined) refuse('limits need a store');
  if (new Set(limits.map((limit) => limit.name)).size !== limits.length) refuse('two limits have one name');
  if (limits.length > 16) refuse('more than 16 limits');
  if (rules.some((rule) => rule.needsPermissions === true) && tools.permissions === undefined)
    refuse('can() needs the permissions of the guard');
  if (body !== undefined && route.startsWith('GET ')) refuse('GET has no body');
}
