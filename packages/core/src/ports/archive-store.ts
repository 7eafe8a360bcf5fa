import type { SealedEvent } from '../audit/audit-event.ts';
import type { Scope } from '../scope.ts';

/** A range of the log's leaves. */
export interface LeafSpan {
  /** Its first leaf, ≥ 0. */
  readonly first: number;
  /** One past its last leaf. */
  readonly end: number;
}

/** One archived range of the log. Ranges are contiguous and start at leaf 0. */
export interface ArchiveRow extends LeafSpan {
  /**
   * `begun`: being written, by any number of archivers. `archived`: it was read back from the object store and verified. `purged`: its events are no
   * longer in the database; their leaves, hashes and checkpoints are.
   */
  readonly status: 'begun' | 'archived' | 'purged';
  /** The latest instant of its events, RFC 3339: what they say themselves, or when they were written if that is later. */
  readonly newestAt: string;
  /** SHA-256 of the manifest, 32 bytes; absent until the range is finished. */
  readonly manifestSha256?: Uint8Array;
  /** The `audit.purge` event that went into the log with the purge. */
  readonly purgeEventId?: string;
}

/** Input of a purge. */
export interface PurgeOrder extends LeafSpan {
  /** SHA-256 of the manifest that the caller has just verified in the object store. */
  readonly manifestSha256: Uint8Array;
  /** Calendar years (UTC) that each event is kept, 6–100. @see 45 CFR 164.316(b)(2)(i) */
  readonly years: number;
}

/** Result of a purge. Only `purged` changed anything. */
export type PurgeAnswer =
  | { readonly status: 'purged' }
  /** It was purged before; the event of this call was not written. */
  | { readonly status: 'repeated' }
  /** There is no such range in the archive, or its manifest is another. */
  | { readonly status: 'not_archived' }
  /** One of its events must still be kept. */
  | { readonly status: 'too_young' }
  /** A legal hold stands on the patient of one of its events, or on the recording that one is about. */
  | { readonly status: 'held' };

/** The archive's side of the audit log: which leaves are in the object store, and the purge of what need not be kept. Like `LogStore`, over all tenants. */
export interface ArchiveStore {
  /**
   * The range to archive next. It is begun here, once for all archivers: until it is finished, everybody is given the same one. It holds leaves
   * of closed months (UTC, by when they were written) and ends where a later month begins.
   *
   * @param maxLeaves - 1–1 000 000
   * @returns undefined when every leaf of a closed month is archived
   * @throws MedzenError `checkpoint_inconsistent` when its first event is missing; `invalid_input`, `store_unavailable`
   */
  begin(maxLeaves: number): Promise<ArchiveRow | undefined>;

  /**
   * Notes that a range was written, read back and verified.
   *
   * @returns `repeated` when it was, with this manifest; `conflict` when there is no such range, or it has another manifest
   * @throws MedzenError `store_unavailable`
   */
  finish(
    span: LeafSpan,
    manifestSha256: Uint8Array,
  ): Promise<{ readonly status: 'archived' | 'repeated' | 'conflict' }>;

  /** The ranges from a leaf on, ascending. @param from - ≥ 0; ranges that begin there or later. @param limit - 1–1000 */
  list(from: number, limit: number): Promise<readonly ArchiveRow[]>;

  /**
   * Removes the events of one archived range and writes the event that records it, in one transaction. In SQL only the owner of the tables may.
   * An id that was purged stays taken.
   *
   * @param scope - of the event
   * Events that explain why others are gone stay: `audit.purge`, `audit.rebase`, `identity.erase`. `too_young` is also what the purge of a range is
   * whose next event is more than a month short of its years: nothing that stays would prove the range's age.
   *
   * @param event - of action `audit.purge`, kind `delete`, outcome `success`; its target is `{ type: 'audit_archive', id: 'first-end' }`, its detail
   * holds `first`, `end`, `years` and `manifestSha256` (hexadecimal) of the order
   * @throws MedzenError `invalid_input` for years out of bounds or another event; `checkpoint_inconsistent` when one of the events is missing
   * already; `forbidden`; `store_unavailable`
   */
  purge(scope: Scope, order: PurgeOrder, event: SealedEvent): Promise<PurgeAnswer>;
}
