import type { AuditEvent, SealedEvent } from '../audit/audit-event.ts';
import type { Scope } from '../scope.ts';

/** Transaction options of an append. */
export interface AppendOptions {
  /**
   * `joined` (default): part of the host's transaction when the store's wire is inside one, so that a change and its
   * event commit together. `independent`: on the root wire, durable on its own, for read, denial and failure events.
   */
  readonly durability?: 'joined' | 'independent';
}

/** Result of an append. */
export type AppendResult =
  /** On disk. */
  | { readonly status: 'durable' }
  /** Becomes durable when the host commits, and vanishes when it rolls back. */
  | { readonly status: 'pending-commit' };

/**
 * Search filters; all must match. Identities are given in clear, even where the log stores pseudonyms. A text has at least
 * one character, no NUL and no lone surrogate. A NUL in an event is found as U+FFFD.
 */
export interface AuditQuery {
  /**
   * The patient whose PHI was touched. A store that records writes in bulk by itself (`audit_table` in Postgres) finds
   * such an event by each patient whose rows it touched, though it names none. What comes through `append` is found by
   * the patient that it names.
   */
  readonly patient?: string;
  readonly actor?: string;
  /** One, or several of which one must match: 1–100. The same with `outcome` and `purpose`. */
  readonly action?: string | readonly string[];
  readonly outcome?: AuditEvent['outcome'] | readonly AuditEvent['outcome'][];
  readonly purpose?: string | readonly string[];
  readonly targetType?: string;
  readonly targetId?: string;
  /** Inclusive. */
  readonly from?: Date;
  /** Exclusive. */
  readonly to?: Date;
  /** 1–1000; 100 when absent. */
  readonly limit?: number;
  /** From an earlier page; opaque. */
  readonly cursor?: string;
}

/** One page of events, newest first (by id). */
export interface AuditPage {
  readonly events: readonly SealedEvent[];
  /**
   * Clear values of the pseudonyms in these events (see `IdentityStore`), each proved by its salt; absent when there
   * are none or all were erased.
   */
  readonly identities?: Readonly<Record<string, string>>;
  /** Pseudonyms in these events whose identity was altered or removed, though not erased. */
  readonly unproved?: readonly string[];
  /** Ids of those of these events that were found by rows of a bulk write which are not the ones that the event carries the hash of. */
  readonly doubtful?: readonly string[];
  /** Absent on the last page. */
  readonly cursor?: string;
}

/** Over which span access is summarised. */
export interface SummaryQuery {
  /** Inclusive. */
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
  /** Lines to give at most, 1–100 000; 10 000 when absent. */
  readonly limit?: number;
}

/** One actor's accesses to patient data in one month (UTC). */
export interface MonthlyAccess {
  /** `YYYY-MM`. */
  readonly month: string;
  readonly actor: string;
  /** Events that succeeded. */
  readonly accesses: number;
  /** Distinct patients, and types of target (tables), among these. */
  readonly patients: number;
  readonly targetTypes: number;
  /** The names of these types, in order of their bytes: for what `audit_table` records, those of the tables. The first 100. */
  readonly tables: readonly string[];
  /** Events that were denied or failed. */
  readonly refused: number;
}

/** The latest month first; in a month, who has the most accesses. */
export interface AccessSummary {
  readonly lines: readonly MonthlyAccess[];
  /** True when there are more than the limit: the last months are incomplete; ask for a shorter span. */
  readonly more: boolean;
}

/** Stores and searches audit events. It cannot change or remove them. */
export interface AuditStore {
  /**
   * Appends all events or none. An event whose id and body are stored already counts as appended (a retry); the same id
   * with another body refuses the whole call. Never resolves before the answer is true. Ids are unique across tenants.
   *
   * @param scope - must equal each event's own `tenant`
   * @param events - 1–1000
   * @throws MedzenError `audit_conflict`; `invalid_input` (no events, too many, tenant mismatch, not an event);
   * `store_unavailable`; `wire_busy` when `independent` is asked of a wire whose only connection is in a transaction
   */
  append(scope: Scope, events: readonly SealedEvent[], options?: AppendOptions): Promise<AppendResult>;

  /**
   * Searches one tenant's events, newest first, by keyset: a page is stable while others write.
   *
   * @throws MedzenError `invalid_input` for a bad limit, a foreign cursor, an empty text or list, a NUL (see `readAuditSearch`); `store_unavailable`
   */
  search(scope: Scope, query: AuditQuery): Promise<AuditPage>;

  /**
   * Counts one tenant's events that name a patient, by month and actor, in one call.
   *
   * @throws MedzenError `invalid_input` for a bad span or limit; `store_unavailable`
   */
  summarize(scope: Scope, query: SummaryQuery): Promise<AccessSummary>;
}
