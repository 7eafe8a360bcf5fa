import type { SealedEvent } from '../audit/audit-event.ts';
import type { ErasableIdentity, ErasableKind } from '../audit/erasable-identity.ts';
import type { Scope } from '../scope.ts';

/** The identity to erase. */
export interface IdentityErasure extends ErasableIdentity {
  /** Erase although an event of the last six years names it; false when absent. The event's reason says why. */
  readonly despiteRetention?: boolean;
}

/** Result of an erasure. */
export type IdentityErasureResult =
  /** The value and its salt are gone. */
  | { readonly status: 'erased' }
  /** There was none: never, or it was erased before. Nothing was written. */
  | { readonly status: 'absent' }
  /** A legal hold stands on the patient, or on what an event is about that names the identity. Nothing was written. */
  | { readonly status: 'held' }
  /** An event that names it is kept until then. Nothing was written. */
  | { readonly status: 'too_young'; readonly keptUntil: string };

/**
 * The one place in which erasable identities stand in clear. Once a kind is switched on for a database, its audit log holds pseudonyms in their stead,
 * whoever writes the event: `AuditStore.append` does it, and so does every method of another port that takes an event. Here are the salts and values.
 *
 * A new identity commits and vanishes with the first event that names it, and no writer ever waits for another's: two that see the same new value
 * at the same time may each make a pseudonym for it, and both lead to the value. Searches and reports take clear values and find all.
 */
export interface IdentityStore {
  /** The kinds that are pseudonymised now; none when it is off. @throws MedzenError `store_unavailable` */
  kinds(): Promise<readonly ErasableKind[]>;

  /** The pseudonyms of an identity; none when it was never named, or erased. @throws MedzenError `store_unavailable` */
  pseudonyms(scope: Scope, identity: ErasableIdentity): Promise<readonly string[]>;

  /**
   * Resolves pseudonyms of this tenant to clear values, each proved by its salt. Omits erased ones, those whose value
   * or salt was altered, and non-pseudonyms. Does not record the read: call it inside `audited` when the result is PHI.
   *
   * @param pseudonyms - 0–10 000
   * @throws MedzenError `invalid_input` for too many; `store_unavailable`
   */
  reveal(scope: Scope, pseudonyms: readonly string[]): Promise<Readonly<Record<string, string>>>;

  /**
   * Removes an identity with its salts, and its event commits with that, or neither does. Of several at once one erases, and the others find it absent.
   *
   * @param event - of action `identity.erase`, with a reason that does not hold the value; its target is `{ type: 'identity', id: one of the pseudonyms }`,
   * and `detail.pseudonyms` lists all, where there are several
   * @throws MedzenError `invalid_input` for another event; `conflict` when its target is a pseudonym that the identity no longer has, or one is not named;
   * `audit_conflict`; `store_unavailable`
   */
  erase(scope: Scope, erasure: IdentityErasure, event: SealedEvent): Promise<IdentityErasureResult>;
}
