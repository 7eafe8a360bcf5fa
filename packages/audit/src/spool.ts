import type { AuditStore, Scope, SealedEvent } from '@medzen/core';

/** What draining came to. */
export interface Drained {
  /** Events that are in the store now. */
  readonly drained: number;
  /** Events that the store will never take (their id is taken by another, say); kept aside in the spool's folder, for a person to look at. */
  readonly rejected: number;
  /** Events that still wait. */
  readonly left: number;
}

/**
 * A place of one process's own, beside the store, where events wait while the store is down. `createSpool` of `@medzen/audit/node` makes one of a folder.
 */
export interface Spool {
  /**
   * Keeps events: durable here before it resolves.
   *
   * @throws MedzenError `store_unavailable` when they cannot be kept here either
   */
  keep(scope: Scope, events: readonly SealedEvent[]): Promise<void>;
  /**
   * Hands what waits to the store, in the order in which it came. What the store has already counts as handed over, so a crash in
   * between costs nothing.
   *
   * @throws MedzenError `store_unavailable` while the store is down; what was not handed over still waits
   */
  drain(store: AuditStore): Promise<Drained>;
  /** Events that wait. */
  size(): Promise<number>;
}
