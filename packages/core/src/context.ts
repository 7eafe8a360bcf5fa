import type { AuditSource, PurposeOfUse } from './audit/audit-event.ts';
import type { Scope } from './scope.ts';

/** The authenticated party on whose behalf something is done. */
export interface Actor {
  /** The subject of the identity provider, as text. */
  readonly id: string;
  readonly type: 'user' | 'service' | 'system';
  /** Roles as the host names them: `provider`, `patient`, `system_admin`, … */
  readonly roles: readonly string[];
  /** The tenant the identity belongs to. */
  readonly tenant: string;
}

/**
 * The caller of an operation on PHI: actor, scope, purpose and source. The guard of `@medzen/security` builds it; hosts
 * with their own middleware build it by hand.
 */
export interface CallContext {
  readonly scope: Scope;
  readonly actor: Actor;
  readonly source: AuditSource;
  /** HL7 PurposeOfUse; `TREAT` when absent. */
  readonly purpose?: PurposeOfUse;
  /** Required by `ETREAT` and `BTG`. */
  readonly reason?: string;
}
