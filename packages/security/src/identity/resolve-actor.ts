import { type Actor, scopeOf } from '@medzen/core';
import type { Claims } from './auth.ts';

/** The actor a token's claims describe. */
export interface ResolvedActor {
  /** 1–256 characters. */
  readonly id: string;
  /** Absent = the guard's default tenant. */
  readonly tenant?: string;
  readonly roles: readonly string[];
  /** Default `user`. */
  readonly type?: Actor['type'];
}

/**
 * From verified claims to an actor; undefined refuses the identity (401). May ask a database.
 */
export type ResolveActor = (claims: Claims) => ResolvedActor | undefined | Promise<ResolvedActor | undefined>;

function texts(value: unknown): readonly string[] {
  if (typeof value === 'string' && value !== '') return [value];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && item !== '') : [];
}

function part(claims: Claims, name: string): Claims {
  const value = claims[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : {}; // an object of JSON
}

/**
 * The default: `sub` is the id; roles come from `roles`, `role`, `cognito:groups`, `realm_access.roles` (Keycloak) and
 * `app_metadata.role(s)` (Supabase); the tenant from `tenant`, `tenant_id` or `app_metadata.tenant`. Claims that a user
 * can edit (`user_metadata`) are never read.
 *
 * @returns undefined without a usable `sub`
 */
export function resolveActor(claims: Claims): ResolvedActor | undefined {
  const { sub } = claims;
  if (typeof sub !== 'string' || sub.length < 1 || sub.length > 256) return undefined;
  const app = part(claims, 'app_metadata');
  const roles = [
    ...texts(claims.roles),
    ...texts(claims.role),
    ...texts(claims['cognito:groups']),
    ...texts(part(claims, 'realm_access').roles),
    ...texts(app.roles),
    ...texts(app.role),
  ];
  const tenant = [claims.tenant, claims.tenant_id, app.tenant].find((value) => value !== undefined);
  if (tenant !== undefined && typeof tenant !== 'string') return undefined;
  return { id: sub, roles: [...new Set(roles)], ...(tenant === undefined ? {} : { tenant }) };
}

/**
 * Checks what a host's resolver answered and completes it.
 *
 * @returns undefined when the identity cannot be used: no id, or a tenant that is not a tenant's name
 */
export function toActor(resolved: ResolvedActor, defaultTenant: string): Actor | undefined {
  const tenant = resolved.tenant ?? defaultTenant;
  try {
    scopeOf(tenant);
  } catch {
    return undefined;
  }
  if (resolved.id.length < 1 || resolved.id.length > 256) return undefined;
  return { id: resolved.id, type: resolved.type ?? 'user', roles: [...resolved.roles], tenant };
}
