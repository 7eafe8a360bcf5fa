import type { Actor } from '@medzen/core';
import { MedzenError } from '@medzen/core';

/** Permissions by role: role → permissions. `'*'` grants everything. */
export type Permissions = Readonly<Record<string, readonly string[]>>;

/** Input of an access rule. Path parameters are not validated yet. */
export interface AuthorizationRequest {
  readonly actor: Actor;
  /** The decoded parameters of the route. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly permissions: Permissions;
}

/** A verdict; the reason goes to the audit event, never to the client. */
export type AuthorizationVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** A rule of access. Made by `can`, `roles`, or by hand. */
export interface Rule {
  /** Refuses a guard that lacks what the rule needs. */
  readonly needsPermissions?: boolean;
  authorize(request: AuthorizationRequest): AuthorizationVerdict | Promise<AuthorizationVerdict>;
}

/**
 * Demands a permission that one of the actor's roles holds, by the guard's `permissions` table.
 *
 * @param permission - as the table writes it
 * @throws MedzenError `invalid_configuration` when empty; the guard throws the same when it was given no table
 * @example
 * ```ts
 * import { can } from '@medzen/security';
 * can('recording:start');
 * ```
 */
export function can(permission: string): Rule {
  if (permission === '' || permission === '*')
    throw new MedzenError('invalid_configuration', 'A permission needs a name');
  return {
    needsPermissions: true,
    authorize: ({ actor, permissions }) => {
      const held = actor.roles.some((role) => {
        const granted = Object.hasOwn(permissions, role) ? permissions[role] : undefined;
        return granted?.includes(permission) === true || granted?.includes('*') === true;
      });
      return held ? { ok: true } : { ok: false, reason: `lacks ${permission}` };
    },
  };
}

/**
 * Demands one of these roles.
 *
 * @throws MedzenError `invalid_configuration` without any
 * @example
 * ```ts
 * import { roles } from '@medzen/security';
 * roles('provider', 'facility_admin');
 * ```
 */
export function roles(...wanted: readonly string[]): Rule {
  if (wanted.length === 0) throw new MedzenError('invalid_configuration', 'roles() needs at least one role');
  return {
    authorize: ({ actor }) =>
      actor.roles.some((role) => wanted.includes(role)) ? { ok: true } : { ok: false, reason: 'lacks the role' },
  };
}
