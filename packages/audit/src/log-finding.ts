/**
 * Reason why a purge is not believed, so that its events count as missing. `not_sealed`: the database says that it
 * purged them, and no sealed `audit.purge` event says so of exactly these leaves. `too_young`: what was sealed around
 * them, a cosignature or the archive shows that their years were not over. `dated_ahead`: its event is dated later than
 * what was sealed after it, or than the verifier's clock. `overlapping`: another purge, sealed earlier, is of the same
 * leaves. `not_in_archive`: the archive does not hold the range, or under another manifest.
 */
export type PurgeDoubt = 'not_sealed' | 'too_young' | 'dated_ahead' | 'overlapping' | 'not_in_archive';

/** One thing that is wrong. */
export type LogFinding =
  /** The stored event is not the one that was sealed: its bytes, or its id, were changed. */
  | { readonly kind: 'event_altered'; readonly index: number; readonly eventId: string }
  /** The event is sound, but what searches and reports find it by was changed in the database: they hide it, or show it as another's. */
  | { readonly kind: 'event_misfiled'; readonly index: number; readonly eventId: string }
  /** Events that were committed and not yet in the tree are gone: somebody removed them before they were tamper-evident. */
  | { readonly kind: 'pending_lost'; readonly count: number }
  /** The leaf is in the tree; its event is not in the database. `count` leaves from `index` on; the id when it is still known. */
  | {
      readonly kind: 'event_missing';
      readonly index: number;
      readonly count: number;
      readonly eventId?: string;
      /** Present when something claims that they were purged. */
      readonly purge?: PurgeDoubt;
      /** The `audit.purge` event that claims so, where one was sealed. */
      readonly purgeEventId?: string;
    }
  /** The events were purged, with proof; what the database itself notes of that purge is missing or says something else. */
  | { readonly kind: 'purge_altered'; readonly index: number; readonly count: number; readonly eventId: string }
  /** The rows that a bulk write touched are not those that its event carries the hash of, or are gone: it is missing from somebody's report, or in another's. */
  | { readonly kind: 'rows_altered' | 'rows_missing'; readonly eventId: string; readonly index?: number }
  /** An identity does not give its pseudonym: the person it names was changed. No person is shown instead. */
  | { readonly kind: 'identity_altered'; readonly tenant: string; readonly pseudonym: string }
  /** Nobody is known for a pseudonym, and no sealed event says that it was erased. `index` is the first leaf that names it. */
  | {
      readonly kind: 'identity_missing';
      readonly tenant: string;
      readonly pseudonym: string;
      readonly index: number;
      readonly eventId: string;
    }
  /** The log says that the identity was erased, and it is there again: from a backup, perhaps. */
  | { readonly kind: 'identity_restored'; readonly tenant: string; readonly pseudonym: string }
  /** An event stands in the database that has no leaf and does not wait for one: searches show it, and nothing proves it. */
  | { readonly kind: 'event_unsealed'; readonly eventId: string }
  /** A leaf stands outside the tree: its event will never be sealed. */
  | { readonly kind: 'leaf_outside'; readonly index: string; readonly eventId: string }
  /** What the database notes of a range of the archive, by its first leaf, is not what the log says, or does not follow the range before. */
  | { readonly kind: 'archive_altered'; readonly index: string }
  /** A stored checkpoint, by its size, says something else than its row, or a size that the log does not have; or a cosignature is not what its row says. */
  | { readonly kind: 'checkpoint_altered'; readonly index: string }
  /** A finding of the review is about another event than it says, or nobody signed it as it says. */
  | { readonly kind: 'review_altered'; readonly tenant: string; readonly id: string }
  /** Events and the hashes over them were changed together: one or more of `count` events from `index` on. */
  | { readonly kind: 'range_altered'; readonly index: number; readonly count: number }
  /** A stored tile (or one hash of it, at `position`) is missing or altered; the events under it may be sound. */
  | { readonly kind: 'tile_altered'; readonly level: number; readonly index: number; readonly position?: number }
  /** The tree over what is stored has another root than the checkpoint. */
  | { readonly kind: 'root_mismatch'; readonly size: number }
  /** The head row says something else than its signed checkpoint. */
  | { readonly kind: 'head_altered'; readonly size: number }
  /** A checkpoint cannot be opened: missing, malformed, or its signature fails. */
  | { readonly kind: 'checkpoint_invalid'; readonly which: 'stored' | 'trusted'; readonly reason: string }
  /**
   * The log's own signature on a checkpoint holds, and another line below it is damaged: it is no signature line, or a known witness's that fails. The tree is the one
   * that was signed; the damaged checkpoint opens nowhere else.
   */
  | { readonly kind: 'cosignature_damaged'; readonly which: 'stored' | 'trusted' }
  /** A checkpoint is by none of the given keys, or is another log's. */
  | { readonly kind: 'wrong_key'; readonly which: 'stored' | 'trusted' }
  /** The log is shorter than the trusted checkpoint: it was cut, or an old copy was restored. */
  | { readonly kind: 'size_regressed'; readonly size: number; readonly trustedSize: number }
  /** The trusted checkpoint's tree is not a beginning of the stored one: the past was rewritten, and signed. */
  | { readonly kind: 'history_rewritten'; readonly size: number; readonly trustedSize: number }
  /** Leaves that the trusted checkpoint covers were lost, and the log says so: a rebase has ended the origin of that checkpoint. `count` from `index` on. */
  | { readonly kind: 'leaves_lost'; readonly index: number; readonly count: number; readonly trustedSize: number }
  /** The trusted checkpoint covers more leaves than the rebase says there ever were: it hides that they were lost. */
  | { readonly kind: 'loss_understated'; readonly said: number; readonly trustedSize: number }
  /** What the log says of a rebase is not so: the leaf that records it, the old checkpoint in it, or the lines of the checkpoint. */
  | { readonly kind: 'rebase_invalid'; readonly index: number; readonly reason: string };
