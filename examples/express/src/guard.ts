import type { Actor, Clock, Logger, RateLimitStore, Stores } from '@medzen/core';
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

/** Permissions of each role. Medzen itself checks whose recording it is. */
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
    'log:verify',
  ],
  auditor: ['audit:read', 'log:verify'],
  scheduler: ['job:run', 'log:seal'],
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

/** Anyone who is signed in. Whose record it is stands in the body, and is looked at behind the door. */
export const signedIn: Rule = { authorize: () => ({ ok: true }) };

/** True when one of the person's roles has the permission. */
export function holds({ roles }: Actor, permission: string): boolean {
  return roles.some((role) => Object.hasOwn(permissions, role) && permissions[role]?.includes(permission) === true);
}

/**
 * Rule for what concerns all practices whose events are in this database: verifying the log, sealing it. It takes a
 * role in the practice that runs the installation, since every practice gives out roles to its own people.
 */
export function ofInstallation(tenant: string, permission: string): Rule {
  return {
    authorize: ({ actor }) =>
      actor.tenant === tenant && holds(actor, permission)
        ? { ok: true }
        : { ok: false, reason: `lacks ${permission} of the installation` },
  };
}

/** A guard with limits, so that policies may have them. */
export type AppGuard = Guard<GuardDeps & { readonly limits: RateLimitStore }>;

/**
 * Guard with the options that all routes share: stores for denials and limits, the public URL that webhooks are signed
 * over, the clock.
 */
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
