import type { Clock, Logger, RateLimitStore, Stores } from '@medzen/core';
import {
  createGuard,
  type Guard,
  type GuardDeps,
  type IdentityAuth,
  type Limit,
  limit,
  oidc,
  type Permissions,
  type ResolvedActor,
  type Rule,
  resolveActor,
} from '@medzen/security';

/** Which role may knock at which door. Whose recording it is, Medzen checks behind the door. */
const permissions: Permissions = {
  patient: ['consent:give', 'recording:watch'],
  provider: ['consent:give', 'recording:watch', 'recording:make', 'fact:note'],
  compliance_officer: [
    'recording:watch',
    'recording:delete',
    'retention:explain',
    'fact:correct',
    'hold:manage',
    'audit:read',
  ],
  auditor: ['audit:read'],
  scheduler: ['job:run'],
};

/** Every client address together. */
export const perAddress: Limit = limit('address', { rate: 600, per: '1m', by: 'ip' });
/** Every person, on every route that reads or writes PHI. */
export const perPerson: Limit = limit('person', { rate: 300, per: '1m', by: 'user' });
/** Starting is rare. */
export const startsPerPerson: Limit = limit('start', { rate: 10, per: '1m', by: 'user' });

/** Identity by the tokens of one OpenID provider. */
export function signIn(options: {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: string;
}): IdentityAuth {
  const { issuer, audience, jwksUrl } = options;
  return oidc({ issuer, audience, jwks: jwksUrl, algorithms: ['ES256', 'RS256'], resolveActor: personOrService });
}

/** The claims `sub`, `tenant` and `roles`. A scheduler is no person, and the log should say so. */
function personOrService(claims: Readonly<Record<string, unknown>>): ResolvedActor | undefined {
  const actor = resolveActor(claims);
  return actor?.roles.includes('scheduler') ? { ...actor, type: 'service' } : actor;
}

/** Patients may read what concerns themselves; others need the permission. */
export function selfOr(permission: string): Rule {
  return {
    needsPermissions: true,
    authorize: ({ actor, params, permissions }) =>
      actor.id === params.patient || actor.roles.some((role) => permissions[role]?.includes(permission))
        ? { ok: true }
        : { ok: false, reason: `is not the patient and lacks ${permission}` },
  };
}

/** A guard with limits, so that policies may have them. */
export type AppGuard = Guard<GuardDeps & { readonly limits: RateLimitStore }>;

/** What all routes share: stores for denials and limits, the public URL that webhooks are signed over, the clock. */
export function appGuard(options: {
  readonly stores: Pick<Stores, 'audit' | 'limits'>;
  readonly tenant: string;
  readonly limitSecret: Uint8Array;
  readonly publicUrl: string;
  readonly patienceMs?: number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}): AppGuard {
  const { stores, tenant, limitSecret, publicUrl, patienceMs, clock, logger } = options;
  return createGuard({
    audit: stores.audit,
    limits: stores.limits,
    permissions,
    defaultTenant: tenant,
    limitSecret,
    publicOrigin: new URL(publicUrl).origin,
    ...(patienceMs === undefined ? {} : { limitDeadlineMs: patienceMs, auditDeadlineMs: patienceMs }),
    clock,
    logger,
  });
}
