import type { DeferReason } from '../deletion/delete-claimed.ts';

/** Limits of one sweep. */
export interface SweepOptions {
  /** Recordings of each kind (warnings, archives, deletions), 1–1000; 100 when absent. */
  readonly limit?: number;
  /** Lease of one worker on a row: milliseconds, 1 000–3 600 000; 5 minutes when absent. */
  readonly leaseMs?: number;
  /** Stops between two steps; what was finished stays finished. */
  readonly signal?: AbortSignal;
  /** The instant at which deadlines are judged; the clock's when absent. Never later than the store's clock. */
  readonly now?: Date;
}

/** A row that a step could not finish. It is offered again later, each time later. */
export interface SweepFailure {
  readonly id: string;
  readonly step: 'decide' | 'warn' | 'archive' | 'reconcile' | 'discard' | 'delete' | 'stop';
  readonly code: string;
  /** Number of attempts; absent where attempts are not counted. */
  readonly attempts?: number;
}

/** Result of a sweep. Lists are recording ids, at most `limit` long each. */
export interface SweepReport {
  /** RFC 3339. */
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Stopped, because a participant had taken consent back. */
  readonly withdrawn: readonly string[];
  /** Decisions made again. */
  readonly decided: number;
  readonly warned: readonly string[];
  readonly archived: readonly string[];
  /** Back from `archived` to `available`: the date moved. */
  readonly restored: readonly string[];
  readonly deleted: readonly string[];
  /** Due, or being deleted, and left for later. Each is offered again, each time later. */
  readonly deferred: readonly {
    readonly id: string;
    readonly reason: DeferReason;
    /** End of a lock in the object store: RFC 3339 UTC; absent for a lock without an end. */
    readonly lockedUntil?: string;
  }[];
  /** Deletions that had begun and were taken back, because the recording is to be kept or cannot be deleted now. */
  readonly canceled: readonly string[];
  readonly failed: readonly SweepFailure[];
  /** Failed five times or more: someone should look. */
  readonly poisoned: readonly string[];
  /** Moved by what their provider said, when it was asked. */
  readonly reconciled: readonly string[];
  /**
   * The recordings among those that `failed`, because there is no media or its provider could not tell for a week; and
   * those that take too long.
   */
  readonly stuck: readonly string[];
  /**
   * Rows of each queue that wait for a later attempt, because the last one failed; counted up to 1000 each. They block no other row; look
   * into it when they grow.
   */
  readonly postponed: Readonly<Record<'warning' | 'archive' | 'discard' | 'deletion', number>>;
  /** Access requests that are past their due date, the longest overdue first. */
  readonly overdueAccessRequests: readonly { readonly id: string; readonly dueAt: string }[];
  /** Provider copies removed that an earlier attempt could not remove. */
  readonly discarded: readonly string[];
  /**
   * Recordings without a decision, in every report: `count` of them all (counted up to 10 000) and the oldest `limit`.
   * `unknown`: no verified rule, or a fact is missing that one counts from; `explain` says which. `unjudged`: a date or
   * a zone that cannot be read.
   */
  readonly undecided: {
    readonly count: number;
    readonly recordings: readonly {
      readonly id: string;
      readonly jurisdiction: string;
      readonly providerClass: string;
      readonly reason: 'unknown' | 'unjudged';
    }[];
  };
  /** Versions and delete markers removed. */
  readonly versions: number;
  readonly bytes: number;
  /** Reason why it ended before it was done. */
  readonly stopped?: 'aborted' | 'store_unavailable';
}
