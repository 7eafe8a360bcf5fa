import type { SealedEvent } from '../audit/audit-event.ts';
import type {
  Deletion,
  KeepUntil,
  LegalHold,
  ProviderMedia,
  Recording,
  RecordingLock,
  RecordingState,
  RecordingStorage,
  RetentionFact,
  StoredDecision,
  StoredObject,
  Tombstone,
} from '../recording.ts';
import type { Scope } from '../scope.ts';
import type { AccessRequestStore } from './access-request-store.ts';

/** Input of `start`: the row without the fields that the store itself sets. */
export type NewRecording = Pick<
  Recording,
  | 'id'
  | 'sessionId'
  | 'patient'
  | 'participants'
  | 'provider'
  | 'providerRef'
  | 'startedAt'
  | 'objectPrefix'
  | 'retentionClass'
  | 'keepUntil'
  | 'storage'
  | 'providerAccount'
>;

/** Result of `start`. */
export type StartResult =
  | { readonly status: 'started'; readonly recording: Recording }
  /**
   * The id is taken; or the session, or the provider reference, has a live recording (`isLive`). Later ones may share both:
   * a call is stopped and started again in the same room.
   */
  | { readonly status: 'already_recording'; readonly recording: Recording }
  /** At the moment of commit these participants had not given consent with all four acknowledgements. */
  | { readonly status: 'consent_required'; readonly missing: readonly string[] };

/** A change of one recording, compared and swapped on its revision. Absent members stay as they are. */
export interface RecordingChange {
  /** The revision the change was computed from. */
  readonly expectedRevision: number;
  /**
   * Absent: no move, only the other members. As `recordingTransitions` allows, with these roads closed here, so that no hold is passed by
   * and no deletion is taken back after it removed something: `deleted` is reached by `finishDeletion` only; `deleting` is left by
   * `finishDeletion` and `cancelDeletion` only, and reached by `beginDeletion` only, except from `failed` when `object` is
   * absent (nothing was ever stored) and `holds` is 0; `recording` is not reached while another recording of the session, or of the provider
   * reference, is live. Anything else answers `invalid_transition`.
   */
  readonly to?: RecordingState;
  /** RFC 3339 instant at which it happened, for `stateAt`. */
  readonly at: string;
  /**
   * See `Recording.capturedAt`. Not later than the store's clock (else `invalid_input`), and only before the media is stored (else
   * `invalid_transition`). The decision made without it is dropped with its warning.
   */
  readonly capturedAt?: string;
  readonly endedAt?: string;
  readonly durationSeconds?: number;
  readonly media?: ProviderMedia;
  readonly object?: StoredObject;
  readonly storage?: RecordingStorage;
  readonly lock?: RecordingLock;
  /** Required with `to: 'deleting'`, and only then: who ends it, and why. */
  readonly deletion?: { readonly by: string; readonly reason: string };
  /** `null` clears it. */
  readonly failure?: { readonly code: string; readonly at: string; readonly attempts: number } | null;
  /**
   * The claim under which it is made; required of a worker that claimed the row. Ends the claim. A move ends it also when it is made
   * without one (by a webhook, or a person): what the worker then tries answers `lease_lost`.
   */
  readonly token?: string;
  /** Key of the provider's notification; the same key for a second time changes nothing. 1–512 characters. */
  readonly dedupeKey?: string;
}

/** Result of a change. Only `changed` wrote anything, and it wrote the event too. */
export type ChangeResult =
  | { readonly status: 'changed'; readonly recording: Recording }
  | { readonly status: 'repeated'; readonly recording: Recording }
  | { readonly status: 'conflict'; readonly recording: Recording }
  | { readonly status: 'invalid_transition'; readonly recording: Recording }
  | { readonly status: 'lease_lost'; readonly recording: Recording }
  | { readonly status: 'not_found' };

/** A row that a worker holds for a while. */
export interface Claim {
  readonly recording: Recording;
  /** Fencing token: greater with every claim of this row; decimal text. */
  readonly token: string;
  /** Number of times the row was claimed for this purpose without finishing, including this one. */
  readonly attempts: number;
}

/** One version or delete marker that is to be removed. */
export interface VersionToRemove {
  /** Tells it from every other of the recording. 1–128 characters. */
  readonly ref: string;
  /** Bytes, ≥ 0. */
  readonly size: number;
}

/** Versions of a recording that are about to be removed. */
export interface Removal {
  readonly token: string;
  /**
   * Versions that the object store is asked to remove next: 0–1000. A version that was noted before is not counted
   * again.
   */
  readonly removing?: readonly VersionToRemove[];
  /** Refs of what is known to be there still, noted or not: 0–1000. They are no longer counted. */
  readonly kept?: readonly string[];
  /** The provider is asked to remove its copy next. */
  readonly provider?: boolean;
  /** Facts revision of the decision; compared before the first removal only. */
  readonly factsRevision: number;
  readonly rulesVersion: string;
}

/** Queues of which a row that cannot be dealt with now is offered again later. */
export type PostponedQueue = 'warning' | 'archive' | 'discard';

/** Selects the rows to claim and the length of the lease. Leases run on the store's own clock. */
export interface ClaimOptions {
  /** 1–1000. */
  readonly limit: number;
  /** Milliseconds, 1 000–3 600 000. */
  readonly leaseMs: number;
}

/** Selects the recordings to list. */
export interface RecordingQuery {
  readonly sessionId?: string;
  readonly patient?: string;
  readonly state?: RecordingState;
  /** Only recordings in which this subject takes part. */
  readonly participant?: string;
  /** Only recordings whose `failure` has this code. */
  readonly failureCode?: string;
  /** 1–200; 50 when absent. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** Selects the legal holds to list. */
export interface HoldQuery {
  /** `true`: those that stand. `false`: those that were released. Absent: both. */
  readonly active?: boolean;
  /** Holds on this patient, and on recordings of this patient. */
  readonly patient?: string;
  /** Exactly this matter. */
  readonly matter?: string;
  /** 1–1000; 100 when absent. */
  readonly limit?: number;
  readonly cursor?: string;
}

/**
 * Stores recordings. Every method is one atomic intent; those that change something write their event in the same
 * transaction, and write neither when they answer anything but success. No method sees, claims or changes another
 * tenant's rows. All throw `store_unavailable` when the store is down, and then nothing was written; those that take an
 * event throw what `AuditStore.append` throws for it (`audit_conflict`, `invalid_input`), and then nothing was written
 * either. Ids of recordings, facts and holds are a tenant's own: another tenant may use the same.
 */
export interface RecordingStore extends AccessRequestStore {
  /**
   * The store's own clock, on which leases run. A sweep compares it with its own before it deletes anything: a worker whose clock is years
   * ahead would delete early.
   */
  clock(): Promise<Date>;

  /** Inserts a recording as `starting` if, at the moment of commit, every listed participant's latest consent is given in full. */
  start(scope: Scope, row: NewRecording, consentOf: readonly string[], event: SealedEvent): Promise<StartResult>;

  get(scope: Scope, id: string): Promise<Recording | undefined>;

  /** By the provider's own id of the session; the latest when there are several. */
  findByProviderRef(scope: Scope, provider: string, providerRef: string): Promise<Recording | undefined>;

  /** Newest first (by `startedAt`, then id), by keyset. @throws MedzenError `invalid_input` for a bad limit or a foreign cursor */
  list(
    scope: Scope,
    query: RecordingQuery,
  ): Promise<{ readonly recordings: readonly Recording[]; readonly cursor?: string }>;

  /**
   * Changes a row. The order of checks: not_found, repeated, lease_lost, conflict, invalid_transition. A `deleted` recording does not
   * change any more, whatever is asked: `invalid_transition`.
   */
  change(scope: Scope, id: string, change: RecordingChange, event: SealedEvent): Promise<ChangeResult>;

  /**
   * Counts an access and writes its event, on the root wire: durable when this resolves, whatever transaction the host has open.
   * Only a recording whose media is whole is counted (`isPlayable`); any other answer wrote nothing. A retry with the same event is `noted` and counts once.
   */
  noteAccess(
    scope: Scope,
    id: string,
    kind: 'view' | 'download',
    event: SealedEvent,
  ): Promise<
    | { readonly status: 'noted'; readonly recording: Recording }
    | { readonly status: 'not_available'; readonly recording: Recording }
    | { readonly status: 'not_found' }
  >;

  // ---- transfer

  /**
   * Claims recordings in `uploading` whose lease is free, oldest first, SKIP LOCKED. Or just one, by id. A row that failed
   * before takes its place in the order by the time at which it is offered again, so that it starves nothing.
   * A row that was claimed and not finished is offered again after its lease, later each time: attempts² minutes after the end of the lease
   * (or after it was given back with a failure), at most a day. By id
   * the back-off is passed over, because a person asks for it; a lease never is.
   */
  claimTransfers(scope: Scope, options: ClaimOptions & { readonly id?: string }): Promise<readonly Claim[]>;

  /**
   * Claims recordings that have a `stopRequest` and may still run (`mayStillRun`), the oldest request first, SKIP LOCKED. Or just one, by id.
   * A withdrawal makes the request in its own transaction, for what the person takes part in, and also for all that runs in the session when
   * their last word in it was a consent: they take back what they had given, listed or not.
   * As `claimTransfers` in all but this: what failed is offered again after five minutes at most, because a person waits for it.
   */
  claimStops(scope: Scope, options: ClaimOptions & { readonly id?: string }): Promise<readonly Claim[]>;

  /**
   * Claims recordings about which the provider is to be asked, the longest due first, SKIP LOCKED. Or just one, by id, due or not. A row is
   * due `firstLookMs` of its state after it came into it, and then when `releaseReconciliation` says; a failed one with `media` or `object`
   * never is. `attempts` counts since the last move. Its lease is one of its own: neither a stop, a transfer or a deletion waits for it, nor
   * it for them. A row that was claimed and not released is due again at the end of its lease, behind those that became due before.
   */
  claimReconciliations(scope: Scope, options: ClaimOptions & { readonly id?: string }): Promise<readonly Claim[]>;

  /**
   * Ends such a claim. A lost lease, or a move since, is no error, and changes nothing.
   *
   * @param againSeconds - after which the row is due again, whole, 1–31 536 000; `null`: not before it has moved
   */
  releaseReconciliation(scope: Scope, id: string, token: string, againSeconds: number | null): Promise<void>;

  // ---- retention

  /**
   * Adds a fact, raises the patient's revision by one and so makes decisions based on an earlier one stale. The checks are the store's
   * own, so that an older client cannot pass them by: a real date from 1900 to a day after the store's clock, a real zone, no birth after
   * a death or after care that was noted, no death before a birth. Facts that are void do not count in them.
   *
   * @throws MedzenError `conflict` when the id exists with other content, or `voids` names a fact that is void already; `invalid_input`
   * for a date or zone out of bounds, and when `voids` names no fact of this patient
   */
  noteFact(
    scope: Scope,
    fact: RetentionFact,
    event: SealedEvent,
  ): Promise<{ readonly status: 'noted' | 'repeated'; readonly revision: number }>;

  /** All facts of a patient, void ones too, in the order in which they were noted, with the revision they make up (0 when there are none). */
  facts(
    scope: Scope,
    patient: string,
  ): Promise<{ readonly facts: readonly RetentionFact[]; readonly revision: number }>;

  /** Recordings not deleted whose decision is absent, of another rules version, or of an earlier revision of the facts. */
  staleDecisions(scope: Scope, rulesVersion: string, limit: number): Promise<readonly Recording[]>;

  /**
   * Stores a decision, unless the facts have moved on since. Writes no event: a decision is derived, and its inputs are audited.
   * When the decision moves `retainUntil` past its `decidedAt`, an `archived` recording goes back to `available`, and then the event is written.
   */
  saveDecision(
    scope: Scope,
    id: string,
    decision: StoredDecision,
    restoreEvent: SealedEvent,
  ): Promise<
    | { readonly status: 'saved' | 'restored'; readonly recording: Recording }
    | { readonly status: 'stale' }
    | { readonly status: 'not_found' }
  >;

  /**
   * Recordings whose decision has no dates because no rule or fact gives any (`undated` is `unknown` or `unjudged`): not deleted, not
   * being deleted, oldest first. `count` is of all of them, and stops at 10 000.
   *
   * @throws MedzenError `invalid_input` for a limit outside 1–1000
   */
  undecided(
    scope: Scope,
    limit: number,
  ): Promise<{ readonly count: number; readonly recordings: readonly Recording[] }>;

  /**
   * Sets or moves the floor of one recording. It only ever moves later. The decision made without it is dropped with its warning, so that
   * nothing is deleted until it was decided again.
   *
   * - `extended`: written, with the event. `repeated`: it stands at that instant already. `shorter`: it stands later than that.
   * - `too_late`: it is beyond recall (`isBeyondRecall`). What is `deleting` and of which nothing was removed takes a floor: its
   *   decision is stale then, so that nothing can be removed and the deletion can only be canceled, also once it was decided again.
   *
   * @throws MedzenError `invalid_input` for a floor more than 100 years after the store's clock, or a reason that is empty or too long
   */
  extendKeep(
    scope: Scope,
    id: string,
    keep: KeepUntil,
    event: SealedEvent,
  ): Promise<
    | { readonly status: 'extended' | 'repeated' | 'shorter' | 'too_late'; readonly recording: Recording }
    | { readonly status: 'not_found' }
  >;

  // ---- legal holds

  /**
   * Places a hold. A recording that is beyond recall (`isBeyondRecall`) answers `too_late`, and nothing is written; one that is `deleting` and
   * of which nothing was removed is held, and its deletion can only be canceled. A hold on a patient is always placed: it covers what is not
   * beyond recall, and recordings still to come; `tooLate` names those that are `deleting` and beyond recall, at most 1000. Same id
   * and target: `placed` again, and nothing is written.
   *
   * @throws MedzenError `conflict` when the id exists with another target, or its hold was released: what holds again is a new hold
   */
  placeHold(
    scope: Scope,
    hold: LegalHold,
    event: SealedEvent,
  ): Promise<
    | { readonly status: 'placed'; readonly tooLate: readonly string[] }
    | { readonly status: 'too_late'; readonly recordingIds: readonly string[] }
    | { readonly status: 'not_found' }
  >;

  releaseHold(
    scope: Scope,
    holdId: string,
    by: string,
    at: string,
    event: SealedEvent,
  ): Promise<
    { readonly status: 'released' } | { readonly status: 'already_released' } | { readonly status: 'not_found' }
  >;

  /** Holds on the recording and on its patient, released ones too. */
  holds(scope: Scope, recordingId: string): Promise<readonly LegalHold[]>;

  /**
   * Holds of the tenant, the latest placed first (by `placedAt`, then id), by keyset.
   *
   * @throws MedzenError `invalid_input` for a bad limit or a foreign cursor
   */
  listHolds(
    scope: Scope,
    query: HoldQuery,
  ): Promise<{ readonly holds: readonly LegalHold[]; readonly cursor?: string }>;

  // ---- sweep

  /**
   * Lists recordings whose `warnAt` has come and whose present deadline (`graceUntil`) was not yet warned of, without
   * postponed ones, the longest due first. A row that was postponed before counts as due since the end of that, so that
   * it starves nothing.
   */
  dueWarnings(scope: Scope, now: Date, limit: number): Promise<readonly Recording[]>;

  /**
   * Notes that the deadline was warned of, at the store's own clock, once; from it comes `deletableAt`. A deadline that moves takes the warning
   * back, so that one that moves back is warned of again. `stale` when the deadline has moved since, or the deletion has begun.
   */
  recordWarning(
    scope: Scope,
    id: string,
    deadline: string,
    event: SealedEvent,
  ): Promise<{ readonly status: 'recorded' | 'repeated' | 'stale' | 'not_found' }>;

  /**
   * Lists recordings in `available` whose `retainUntil` has passed and whose decision is not stale, without postponed
   * ones, in the order of `dueWarnings`.
   */
  dueArchives(scope: Scope, now: Date, rulesVersion: string, limit: number): Promise<readonly Recording[]>;

  /**
   * Lists recordings `available` or `archived` whose `failure` has this code, without postponed ones, the oldest start
   * first, in the order of `dueWarnings`.
   */
  dueDiscards(scope: Scope, failureCode: string, now: Date, limit: number): Promise<readonly Recording[]>;

  /**
   * Takes a row out of a queue for a while: attempts² minutes from `now`, at most a day. Undefined when there is no such row. What the queue
   * waits for ends it: a warning that was recorded or whose deadline moved, a move, a failure that was cleared.
   */
  postpone(
    scope: Scope,
    id: string,
    queue: PostponedQueue,
    failureCode: string,
    now: Date,
  ): Promise<{ readonly attempts: number; readonly until: string } | undefined>;

  /**
   * Counts the rows of each queue that wait for a later attempt at this instant; for `deletion`, those whose last
   * attempt failed. Counted up to 1000 each.
   */
  countPostponed(scope: Scope, now: Date): Promise<Readonly<Record<PostponedQueue | 'deletion', number>>>;

  /**
   * Claims recordings that may be deleted: `deletableAt` ≤ now, so warned of in time, no active hold, no open access request, `keepUntil` not
   * in the future, decision of these rules and of the present facts;
   * and those already `deleting` (to be finished, or canceled), whatever their dates. Earliest deadline first, SKIP LOCKED, lease and fencing
   * token. A row that failed before is offered again later each time (as in `claimTransfers`), and takes its place in the order by the time at
   * which it is offered again, so that it starves nobody.
   * States: those from which `deleting` may follow, and `deleting`.
   */
  claimExpired(
    scope: Scope,
    now: Date,
    rulesVersion: string,
    options: ClaimOptions & { readonly id?: string },
  ): Promise<readonly Claim[]>;

  /**
   * Commits the intent to delete. Refuses when a fact, a rule, a hold or an access request came in between, or the deadline has moved. A row
   * already `deleting` under this token: `begun` again.
   */
  beginDeletion(
    scope: Scope,
    id: string,
    intent: {
      readonly token: string;
      readonly factsRevision: number;
      readonly rulesVersion: string;
      readonly now: Date;
    } & Pick<Deletion, 'reason' | 'ruleIds' | 'citations'> & { readonly by: string },
    event: SealedEvent,
  ): Promise<
    | { readonly status: 'begun'; readonly recording: Recording }
    | { readonly status: 'held' | 'access_requested' | 'stale' | 'not_due' | 'lease_lost' | 'not_found' }
  >;

  /**
   * Notes what is about to be removed, before it is: what is noted counts as removed, and from the first note there is no way back. So the
   * first is refused when a hold or an access request stands, or, of a deletion by retention, a fact or a rule came in between. Writes no event.
   */
  noteRemoval(
    scope: Scope,
    id: string,
    removal: Removal,
  ): Promise<
    // english-ignore E7: the answer is the word that the SQL function returns
    | { readonly status: 'noted'; readonly recording: Recording }
    | { readonly status: 'held' | 'access_requested' | 'stale' | 'not_begun' | 'lease_lost' | 'not_found' }
  >;

  /**
   * Takes a deletion back of which nothing was removed: the recording goes where it was before; from `archived` to `available` when the stored
   * decision keeps it. Ends the claim as `releaseClaim` with this failure code does. `beyond_recall`: something was removed, or may have been.
   */
  cancelDeletion(
    scope: Scope,
    id: string,
    cancel: { readonly token: string; readonly at: string; readonly failureCode: string },
    event: SealedEvent,
  ): Promise<
    | { readonly status: 'canceled'; readonly recording: Recording }
    | { readonly status: 'beyond_recall' | 'not_begun' | 'lease_lost' | 'not_found' }
  >;

  /** Notes how the media is locked in the object store, or (`null`) that it is not. Under a claim. Writes no event: it is read, not decided. */
  noteLock(
    scope: Scope,
    id: string,
    token: string,
    lock: RecordingLock | null,
    // english-ignore E7: the answer is the word that the SQL function returns
  ): Promise<{ readonly status: 'noted' | 'lease_lost' | 'not_found' }>;

  /**
   * Writes the tombstone, drops the references to media (`media`, `object`) and what was noted of the deletion, and ends the claim; the one
   * way to `deleted`.
   *
   * Where nothing was noted by `noteRemoval` it is this call that a hold or an access request stops.
   *
   * @throws MedzenError `invalid_transition` when the deletion was not begun
   */
  finishDeletion(
    scope: Scope,
    id: string,
    token: string,
    tombstone: Tombstone,
    event: SealedEvent,
  ): Promise<
    | { readonly status: 'finished'; readonly recording: Recording }
    | { readonly status: 'already_deleted' | 'held' | 'access_requested' | 'lease_lost' | 'not_found' }
  >;

  /**
   * Lengthens the lease of a stop, transfer or deletion, from now, whether or not it ran out, as long as nobody else claimed the row.
   *
   * @param leaseMs - milliseconds, 1 000–3 600 000
   * @returns false when the claim is lost: its present holder must not be disturbed
   */
  renewClaim(scope: Scope, id: string, token: string, leaseMs: number): Promise<boolean>;

  /**
   * Gives a claim back before its lease ends. With a failure code it is offered again later (see the claims); without one, at once,
   * and the attempt does not count. A lost lease is no error, and changes nothing.
   */
  releaseClaim(scope: Scope, id: string, token: string, failureCode?: string): Promise<void>;
}
