import type { SealedEvent } from '../audit/audit-event.ts';
import type { Json } from '../canonical-json.ts';
import type { Scope } from '../scope.ts';

/** A finding of a review rule. */
export interface ReviewFinding {
  /** 64 lower-case hexadecimal digits, made from what was found: whoever finds it again gives it the same. */
  readonly id: string;
  /** The rule's id. */
  readonly rule: string;
  /** The event that completed it, and that event's place in the log. */
  readonly eventId: string;
  readonly leafIndex: number;
  /** RFC 3339, milliseconds, UTC: the event's `at`. */
  readonly at: string;
  /** The event's actor and patient. */
  readonly actor: string;
  readonly patient?: string;
  /** Small, without PHI: counts, spans. */
  readonly detail?: { readonly [key: string]: Json };
}

/** A reviewer's conclusion. */
export type ReviewOutcome = 'appropriate' | 'violation' | 'inconclusive';

/** A finding in the queue. */
export interface Review extends ReviewFinding {
  /** RFC 3339. */
  readonly queuedAt: string;
  /** Absent while it is open. */
  readonly signed?: {
    readonly at: string;
    /** The actor of the event that commits with it. */
    readonly by: string;
    readonly outcome: ReviewOutcome;
    readonly note?: string;
  };
}

/** Filters of a review list. */
export interface ReviewQuery {
  /** `open` when absent. */
  readonly state?: 'open' | 'signed' | 'all';
  readonly rule?: string;
  /** 1–1000; 100 when absent. */
  readonly limit?: number;
  /** From an earlier page; opaque. */
  readonly cursor?: string;
}

/** One page, in the order of the log. */
export interface ReviewPage {
  readonly reviews: readonly Review[];
  /** Absent on the last page. */
  readonly cursor?: string;
}

/** A sign-off. */
export interface ReviewSignOff {
  readonly id: string;
  readonly outcome: ReviewOutcome;
  /** ≤ 2048 characters. */
  readonly note?: string;
  /** Allows signing off a finding about oneself. Default false. */
  readonly own?: boolean;
}

/** Result of a sign-off. */
export type SignOffResult =
  | { readonly status: 'signed'; readonly review: Review }
  /** The same event had signed it: a retry. */
  | { readonly status: 'repeated'; readonly review: Review }
  /** Somebody had signed it before. */
  | { readonly status: 'taken'; readonly review: Review }
  /** It is about the one who would sign. Nothing was written. */
  | { readonly status: 'own' }
  /** None with this id, in this tenant. */
  | { readonly status: 'missing' };

/**
 * The queue of what somebody must look at. Nothing leaves it, and a sign-off is never changed.
 *
 * @see 45 CFR 164.308(a)(1)(ii)(D)
 */
export interface ReviewStore {
  /**
   * Queues what is not there yet; what is there stays as it is, signed or not.
   *
   * @param findings - 1–1000
   * @returns how many were new
   * @throws MedzenError `invalid_input` for what is no finding; `store_unavailable`
   */
  queue(scope: Scope, findings: readonly ReviewFinding[]): Promise<{ readonly queued: number }>;

  /**
   * Lists one tenant's, by place in the log, by keyset: a page is stable while others write.
   *
   * @throws MedzenError `invalid_input` for a bad limit or a foreign cursor; `store_unavailable`
   */
  list(scope: Scope, query: ReviewQuery): Promise<ReviewPage>;

  /**
   * Signs one off, and its event commits with that, or neither does. Only `signed` writes the event.
   *
   * @param event - its target is `{ type: 'review', id }`; its actor is who signs
   * @throws MedzenError `invalid_input` for an event about something else, or too long a note; `audit_conflict`; `store_unavailable`
   */
  signOff(scope: Scope, signOff: ReviewSignOff, event: SealedEvent): Promise<SignOffResult>;
}
