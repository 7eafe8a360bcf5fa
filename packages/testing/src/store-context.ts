import type { Clock, ErasableKind, Scope, Stores } from '@medzen/core';

/** Looks at the database directly, past the stores: what is really there, of every tenant. */
export interface EventReader {
  /** How many audit events are stored. */
  countEvents(): Promise<number>;
  /** The bodies stored under an event id: none, or one; two would be a fault of the store. */
  eventsFor(id: string): Promise<readonly Uint8Array[]>;
}

/** A transaction of the host, with stores that take part in it. */
export interface HostTransaction<Need extends keyof Stores> {
  readonly stores: Pick<Stores, Need>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/**
 * What an adapter's author makes fresh for each case of a store suite: an empty database and these handles to it.
 * One object with all stores fits every suite; a host that implements one port gives that port (and those it leans on).
 *
 * Capabilities that some cases ask for beyond the well-known ones:
 * `host-transaction` (then `transaction` is given), `concurrency` (several connections), `direct-write` (then `damage` and `alterIdentity` are given),
 * `outage` (then `outage` is given), `owner` (the stores' connection may do what only the owner of the tables may: purge).
 */
export interface StoreContext<Need extends keyof Stores> {
  readonly stores: Pick<Stores, Need>;
  /** Two tenants; no other data of either exists. */
  readonly scope: Scope;
  readonly otherScope: Scope;
  /** Shows the same time as the stores' own clock, which stands still except for `advance`. */
  readonly clock: Clock;
  /** Moves the stores' own clock, and `clock` with it. @param ms - ≥ 0 */
  advance(ms: number): Promise<void>;
  readonly reader: EventReader;
  /** Opens a transaction of the host. Capability `host-transaction`. */
  transaction?(): Promise<HostTransaction<Need>>;
  /** Overwrites a stored event's body (or removes the row, for `undefined`) as an owner of the database could. Capability `direct-write`. */
  damage?(eventId: string, body: Uint8Array | undefined): Promise<void>;
  /** Puts another value behind a pseudonym and leaves its salt, as an owner of the database could. Capability `direct-write`. */
  alterIdentity?(pseudonym: string, value: string): Promise<void>;
  /** Switches the kinds of identities that become pseudonyms, as an owner of the database does; at first none do. For `identityStoreCases`. */
  keepErasable?(kinds: readonly ErasableKind[]): Promise<void>;
  /** Makes the database unreachable until the returned function is called. Capability `outage`. */
  outage?(): Promise<() => Promise<void>>;
  /** Called by the runner after the case, whatever came of it. */
  dispose?(): Promise<void>;
}

/** For `auditStoreCases`. */
export type AuditStoreContext = StoreContext<'audit'>;
/** For `logStoreCases`. */
export type LogStoreContext = StoreContext<'audit' | 'log' | 'archive'>;
/** For `cursorStoreCases`. */
export type CursorStoreContext = StoreContext<'audit' | 'log' | 'cursors'>;
/** For `identityStoreCases`. */
export type IdentityStoreContext = StoreContext<'audit' | 'identities' | 'recordings'> &
  Required<Pick<StoreContext<'identities'>, 'keepErasable'>>;
/** For `reviewStoreCases`. */
export type ReviewStoreContext = StoreContext<'audit' | 'reviews'>;
/** For `consentStoreCases`. */
export type ConsentStoreContext = StoreContext<'audit' | 'consents'>;
/** For `recordingStoreCases`. */
export type RecordingStoreContext = StoreContext<'audit' | 'consents' | 'recordings'>;
/** For `rateLimitStoreCases`. */
export type RateLimitStoreContext = Omit<StoreContext<'limits'>, 'reader'>;
