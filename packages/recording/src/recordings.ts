import type {
  AccessRequest,
  AccessRequestOutcome,
  AccessRequestQuery,
  AuditSource,
  CallContext,
  Clock,
  ConsentAcknowledgements,
  ConsentRecord,
  HoldQuery,
  Ids,
  KeepUntil,
  LegalHold,
  Logger,
  ObjectStore,
  Random,
  Recording,
  RecordingParticipant,
  RecordingQuery,
  RecordingState,
  RetentionClass,
  RetentionFact,
  Scope,
  Stores,
} from '@medzen/core';
import type { Timeouts } from './deadline.ts';
import type { Notifier } from './notifier.ts';
import type { Provider, ProviderEvent } from './provider.ts';
import type { RetentionExplanation } from './retention/explain/explain.ts';
import type { Retention } from './retention/retention.ts';
import type { RecordingRoles } from './roles.ts';
import type { SweepOptions, SweepReport } from './sweep/report.ts';
import type { PlausibilityOptions } from './transfer/plausible.ts';

/** Dependencies of `createRecordings`. */
export interface RecordingsDeps {
  readonly stores: Pick<Stores, 'recordings' | 'consents' | 'audit'>;
  /**
   * Stores of media: one store, or several, of which the first takes recordings that start from now on. A recording
   * remembers its store by `location`, and is played, transferred and deleted there: keep an earlier store in the list
   * for as long as anything lies in it.
   */
  readonly objects: ObjectStore | readonly ObjectStore[];
  /** Copies that a deletion does not reach: replicas, backups. Each tombstone names them. */
  readonly otherCopies?: readonly OtherCopy[];
  /** By the name that stands in each recording's `provider`. */
  readonly providers: Readonly<Record<string, Provider>>;
  /** From `createRetention`. */
  readonly retention: Retention;
  /** Told of coming deletions. Absent: the warning is only audited, and its notice runs from there: the host reads it in the log. */
  readonly notifier?: Notifier;
  /** Merged over `defaultRoles`. */
  readonly roles?: Partial<RecordingRoles>;
  /**
   * The participants whose consent `start` waits for. `everyone` (default): each participant's. `law`: only where the
   * law of a participant's place asks for all; else the patient's alone.
   */
  readonly consentFrom?: 'everyone' | 'law';
  /** Time limits of calls to providers and the object store. */
  readonly timeouts?: Timeouts;
  /** Shortest media that is accepted as the captured media. */
  readonly plausibility?: PlausibilityOptions;
  /** Retention class of a recording whose `start` names none. */
  readonly retentionClass?: RetentionClass;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Waits between in-process retries; `setTimeout` by default. Milliseconds. */
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** A copy of the media that a deletion does not reach. */
export interface OtherCopy {
  /** As people know it: `replica in us-west-2`, `nightly backup`. 1–256 characters. */
  readonly name: string;
  /** Days after which it is gone by itself, 0–36 500; absent when it stays. */
  readonly keptDays?: number;
}

/**
 * One participant's statement about being recorded. Time, address and user agent come from the server and the context.
 */
export interface ConsentInput {
  /** A UUID, for retries: the same id with the same content is the same record. */
  readonly id?: string;
  readonly sessionId: string;
  /** The caller when absent. Another's consent needs a role of `consentForOthers` and the method `verbal` or `written`. */
  readonly participant?: string;
  /** Patient of the session, for the audit event. */
  readonly patient?: string;
  readonly acknowledgements: ConsentAcknowledgements;
  readonly textVersion: string;
  /** Exactly the text that was shown; its SHA-256 is kept. */
  readonly text: string;
  /** BCP 47. */
  readonly language: string;
  readonly method: ConsentRecord['method'];
  /** ISO 3166-2 place where the participant is: `US-GA`. Absent counts as the strictest. */
  readonly location?: string;
}

/** The participant who withdraws consent. */
export interface WithdrawInput {
  readonly id?: string;
  readonly sessionId: string;
  /** The caller when absent. */
  readonly participant?: string;
  readonly patient?: string;
}

/** The session to record. */
export interface StartInput {
  /** A UUIDv7, for retries. */
  readonly id?: string;
  readonly sessionId: string;
  readonly patient: string;
  /**
   * Everyone in the session, the patient among them. Whoever has taken consent back in this session stands in the way also when not listed,
   * and where the law would do with fewer: leaving a name out does not undo a withdrawal.
   */
  readonly participants: readonly RecordingParticipant[];
  /**
   * Persons who gave or withdrew consent for this session and are not in it (have left, or never joined), so that their
   * consent does not count. Must not include a participant; at most 100. The caller answers for it: it is in the event
   * of the start.
   */
  readonly absent?: readonly string[];
  /** A key of `providers`. */
  readonly provider: string;
  /** The provider's id of the session: for Twilio the RoomSid. */
  readonly providerRef: string;
  /** A place, class and zone that the rules or a policy know. */
  readonly retentionClass?: RetentionClass;
  /** Keeps this recording at least so long, whatever the rules say. */
  readonly keepUntil?: KeepUntil;
}

/** Something that happened to a patient, or that did not. */
export type FactInput = Omit<RetentionFact, 'id'> & {
  /** A UUID, for retries. */
  readonly id?: string;
  /** Needed with `voids`: why the earlier fact was a mistake. Stands in the audit event. 1–2048 characters. */
  readonly reason?: string;
};

/** A legal hold to place. */
export interface HoldInput {
  /** A UUID, for retries. */
  readonly id?: string;
  readonly target: LegalHold['target'];
  readonly matter: string;
  readonly reason: string;
}

/** A hold that was placed. */
export type PlacedHold = LegalHold & {
  /**
   * Ids of the patient's recordings that a hold does not reach: they are being deleted, and something is gone already.
   */
  readonly tooLate: readonly string[];
};

/** A person's request for access to their record. */
export interface AccessRequestInput {
  /** A UUID, for retries. */
  readonly id?: string;
  readonly target: AccessRequest['target'];
  /** The caller when absent. */
  readonly requestedBy?: string;
  /** When it was received: RFC 3339, not in the future. Now, when absent. The due date counts from it. */
  readonly receivedAt?: string;
}

/** A request that was opened. */
export type OpenedAccessRequest = AccessRequest & {
  /**
   * Ids of the patient's recordings that a request does not reach: they are being deleted, and something is gone
   * already.
   */
  readonly tooLate: readonly string[];
};

/** Input of a deletion that a person asks for. */
export interface DeleteRequest {
  /** Stands in the tombstone. */
  readonly reason: string;
  /** Ends a recording whose media cannot be found. Its tombstone says that the media was missing. */
  readonly mediaMissing?: 'accept';
}

/** A link that plays. A secret: never log it. */
export interface RecordingLink {
  readonly url: string;
  readonly expiresAt: Date;
  readonly contentType: string;
  /** Bytes. */
  readonly size: number;
}

/** Result of a provider's event. */
export type IngestResult =
  /** It moved the recording, or told something new of it. */
  | { readonly status: 'applied'; readonly recording: Recording }
  /** Late or of no consequence: written down, nothing moved. */
  | { readonly status: 'noted'; readonly recording: Recording }
  /** Delivered before. */
  | { readonly status: 'repeated'; readonly recording: Recording }
  /** The recording is being deleted, or gone; nothing was written. */
  | { readonly status: 'ignored'; readonly recording: Recording }
  /** No recording of this tenant has that provider reference. */
  | { readonly status: 'unknown' };

/** Result of a round of stops. Lists are of recording ids. */
export interface StopReport {
  readonly stopped: readonly string[];
  /** Ended by another worker in the meantime. */
  readonly ended: readonly string[];
  /** Still running, as far as is known; to be offered again. */
  readonly retrying: readonly { readonly id: string; readonly code: string; readonly attempts: number }[];
}

/** Result of a round of questions to providers. */
export interface ReconcileReport {
  /** Number of recordings that a provider was asked about. */
  readonly asked: number;
  readonly moved: readonly { readonly id: string; readonly from: RecordingState; readonly to: RecordingState }[];
  /** It ran although it had ended, or consent was taken back: told to stop (again). */
  readonly stopped: readonly string[];
  /** The moved recordings for which there is, or seems to be, no media. `retryTransfer` asks once more. */
  readonly failed: readonly { readonly id: string; readonly code: string }[];
  /** The provider, or the store, was away. */
  readonly retrying: readonly { readonly id: string; readonly code: string; readonly attempts: number }[];
  /** The provider cannot be asked: `provider_not_configured`. */
  readonly setAside: readonly { readonly id: string; readonly code: string }[];
  /** Captured for more than a day, or waiting for a transfer for more than a week. */
  readonly overdue: readonly { readonly id: string; readonly state: RecordingState; readonly since: string }[];
}

/** Number of recordings to ask about, and the lease. */
export interface ReconcileOptions {
  /** Recordings, 1–1000; 100 when absent. */
  readonly limit?: number;
  /** Lease of one worker on each recording: milliseconds, 1 000–3 600 000; 2 minutes when absent. */
  readonly leaseMs?: number;
  readonly signal?: AbortSignal;
}

/** Result of a round of transfers. */
export interface TransferReport {
  readonly available: readonly string[];
  /** To be offered again. */
  readonly retrying: readonly { readonly id: string; readonly code: string; readonly attempts: number }[];
  /** Moved to `failed`: a person's `retryTransfer` sends them round again. */
  readonly failed: readonly { readonly id: string; readonly code: string }[];
  /** Available, but the provider's copy could not be removed yet; the sweep tries again. */
  readonly notDiscarded: readonly string[];
  readonly bytes: number;
}

/**
 * A recording's life. Each method that a person calls takes the {@link CallContext}, checks role and participation, and writes its
 * audit event: a change commits with its event or not at all; a read answers only after its event is durable; a refusal is audited
 * on its own before it is thrown.
 *
 * All may throw `store_unavailable` (nothing was written, nothing is told) and `invalid_input`.
 */
export interface Recordings {
  readonly consent: {
    /** @throws MedzenError `forbidden`; `conflict` when the id exists with other content */
    give(input: ConsentInput, ctx: CallContext): Promise<ConsentRecord>;
    /**
     * Also stops what is being recorded in that session. What cannot be stopped at once, `stopWithdrawn` stops: what the person takes part in,
     * or had consented to. Who may speak for a session is for the host to say: whoever it lets in here can stop a recording, or hold one up.
     *
     * @throws MedzenError `forbidden`, `provider_unavailable` (the withdrawal stands)
     */
    withdraw(input: WithdrawInput, ctx: CallContext): Promise<ConsentRecord>;
    /** The latest word of each participant; of the caller alone, unless a role lets it see more. */
    current(sessionId: string, ctx: CallContext): Promise<readonly ConsentRecord[]>;
  };

  /**
   * Starts recording, if everyone whose consent is needed has given it with all four acknowledgements.
   *
   * @throws MedzenError `consent_required` (detail: `missing` ids and roles, `rule`, `citation`); `forbidden`; `conflict` when the
   * session is being recorded already (detail: `recordingId`), or the provider's room was used for another session; `not_available` when
   * the provider refused (the recording is then `failed`); `provider_unavailable` (detail: `recordingId`, `state` `starting`) when nobody
   * knows whether it records: the same call with the same id asks again, and `reconcile` finds out
   */
  start(input: StartInput, ctx: CallContext): Promise<Recording>;

  /**
   * Stops. Stopping what has stopped answers with the recording as it is.
   *
   * @throws MedzenError `not_found`, `forbidden`, `invalid_transition` (deleted), `provider_unavailable` (nothing changed)
   */
  stop(id: string, ctx: CallContext): Promise<Recording>;

  /**
   * Stops what still runs although a participant has taken consent back: through `medzen_api.withdraw_consent`, which cannot reach a
   * provider, or through a `consent.withdraw` that died, or found the provider away. A withdrawal marks what it concerns in its own
   * transaction, so nothing is forgotten. To be called often, every few seconds: a person waits for it. Any number may run at once; `sweep`
   * begins with it too. Failures are reported, not thrown, and tried again after five minutes at most.
   */
  stopWithdrawn(scope: Scope, options?: TransferOptions): Promise<StopReport>;

  /**
   * Asks providers about recordings that are late, and does what the answers call for: confirms a start, notes an end, has media made, sends
   * it on its way, stops what should not run. Callbacks only make it faster: any of them may be lost. To be called often, every minute;
   * each recording is asked about at most that often, and less with time, the longest waiting first. Any number may run at once; `sweep` does
   * it too. Failures are reported, not thrown.
   */
  reconcile(scope: Scope, options?: ReconcileOptions): Promise<ReconcileReport>;

  /** @throws MedzenError `not_found`, `forbidden` */
  status(id: string, ctx: CallContext): Promise<Recording>;

  /** Newest first. Without a role of `seeAll`: only those in which the caller takes part. */
  list(
    query: RecordingQuery,
    ctx: CallContext,
  ): Promise<{ readonly recordings: readonly Recording[]; readonly cursor?: string }>;

  /**
   * Takes in one verified event of a provider. Repeated, late and reversed events never move a recording backwards.
   *
   * @param scope - whose: from the URL that the provider signed
   * @param source - from where it came, for the audit event: the guard's `ctx.source`
   */
  ingest(event: ProviderEvent, scope: Scope, source?: AuditSource): Promise<IngestResult>;

  /**
   * Copies one recording's media into the object store, verified, and makes it `available`.
   *
   * @throws MedzenError `not_found`; `invalid_transition` when it is not waiting for a transfer; `conflict` while another worker has it;
   * `provider_unavailable`, `store_unavailable`, `checksum_mismatch` when it failed and will be offered again
   */
  transfer(id: string, scope: Scope): Promise<Recording>;

  /** Copies what is waiting, oldest first. Failures are reported, not thrown. */
  transferDue(scope: Scope, options?: TransferOptions): Promise<TransferReport>;

  /**
   * Sends a failed recording round again, after asking the provider what there is: media that is ready goes back into the queue, what was
   * captured without media made of it is made into media (`processing`), what still runs is `recording`.
   *
   * @param options.acceptImplausible - takes media that failed with `media_implausible` for what was captured: why, 1–2048 characters, for the
   * audit log
   * @throws MedzenError `not_found`, `forbidden`, `invalid_transition` (detail: `state`, and `provider`, what it answered);
   * `provider_unavailable` when it cannot be asked and no media is known
   */
  retryTransfer(id: string, ctx: CallContext, options?: RetryOptions): Promise<Recording>;

  /**
   * A link that plays the recording, for an hour at most. The access is durable in the audit log before the link exists.
   *
   * @throws MedzenError `not_found`, `forbidden`, `gone` (deleted), `not_available` (not yet transferred, or some of it is deleted),
   * `invalid_configuration` when its store is not configured
   */
  playbackUrl(id: string, ctx: CallContext, options?: LinkOptions): Promise<RecordingLink>;

  /** As `playbackUrl`, to save as a file, for 300 seconds. */
  downloadUrl(id: string, ctx: CallContext, options?: LinkOptions): Promise<RecordingLink>;

  /**
   * Notes what retention counts from, and so makes what was decided before stale: the next sweep decides again, also about what is being
   * deleted and still there. A mistake is taken back with `voids` and a `reason`, by a role of `correctFacts`; the mistaken fact stays on
   * record and no longer counts. What was deleted on a mistaken fact is not brought back.
   *
   * @throws MedzenError `forbidden`; `invalid_input` for a date before 1900 or more than a day in the future, an unknown zone, a birth after
   * care or death, a death before the birth, or `voids` that names no fact of the patient; `conflict` when the id exists with other content,
   * or the voided fact is void already
   */
  noteFact(fact: FactInput, ctx: CallContext): Promise<{ readonly id: string; readonly revision: number }>;

  /**
   * Explains why a recording is kept, and until when: rules with their citations, the facts they counted, what is
   * missing, holds, dates, and what has to happen before it can be deleted. Judged anew. For roles of `seeAll`, since
   * it shows the patient's dates; holds are listed to roles of `hold`, and counted for others. Audited as a read before
   * it answers.
   *
   * @throws MedzenError `not_found`, `forbidden`
   */
  explain(id: string, ctx: CallContext): Promise<RetentionExplanation>;

  /**
   * Has one recording kept at least until an instant, whatever the rules say, by a role of `keepLonger`. The floor moves later only; what
   * was decided without it is decided again, and warned of again.
   *
   * @throws MedzenError `conflict` when the floor stands later already; `too_late` when some of it was deleted already (both audited); `not_found`,
   * `forbidden`, `invalid_input`
   */
  keepUntil(id: string, keep: KeepUntil, ctx: CallContext): Promise<Recording>;

  /**
   * A person's request to delete. Goes the same road as the sweep, or is refused.
   *
   * @returns the tombstoned recording; or, when something was removed and the rest is locked or the provider is away, the one in state `deleting`,
   * which the sweep finishes
   * @throws MedzenError `retention_active` (detail: `status`, `retainUntil`, `graceUntil`, `ruleIds`, `citations`; `deletableAt` after a late warning), `held` (detail: `reason`, `lockedUntil` of a lock in the object
   * store), `not_available` when the media cannot be found, `invalid_configuration`, `forbidden`, `not_found`, `gone`, `conflict` while another worker has it
   */
  delete(id: string, request: DeleteRequest, ctx: CallContext): Promise<Recording>;

  readonly legalHold: {
    /** @throws MedzenError `too_late` (some of it was deleted already; audited), `not_found`, `forbidden` */
    place(input: HoldInput, ctx: CallContext): Promise<PlacedHold>;
    /** Releasing twice is no error. Release is not deletion. @throws MedzenError `not_found`, `forbidden` */
    release(holdId: string, ctx: CallContext): Promise<void>;
    /** On the recording and on its patient, released ones too. @throws MedzenError `not_found`, `forbidden` */
    on(recordingId: string, ctx: CallContext): Promise<readonly LegalHold[]>;
    /**
     * Holds of the tenant by page, the latest placed first: those that stand (`active: true`), of a patient and of that patient's
     * recordings, of a matter.
     *
     * @throws MedzenError `forbidden`; `invalid_input` for a limit outside 1–1000 or a foreign cursor
     */
    list(
      query: HoldQuery,
      ctx: CallContext,
    ): Promise<{ readonly holds: readonly LegalHold[]; readonly cursor?: string }>;
  };

  /**
   * Requests of patients for access to their record (45 CFR 164.524). While one is open, nothing that it covers is deleted. Those that are
   * overdue stand in every sweep report.
   */
  readonly accessRequests: {
    /**
     * Opens one: a patient who takes part in the recording, or a role of `accessRequests`. It is to be acted on within 30 days.
     *
     * @throws MedzenError `too_late` (some of it was deleted already; audited), `not_found`, `forbidden`, `conflict` when the id was used
     */
    open(input: AccessRequestInput, ctx: CallContext): Promise<OpenedAccessRequest>;
    /** Moves the due date by 30 days, once, for a reason that the person is told in writing. @throws MedzenError `not_found`, `forbidden`, `conflict` */
    extend(id: string, extension: { readonly reason: string }, ctx: CallContext): Promise<AccessRequest>;
    /** Closing twice is no error. @throws MedzenError `not_found`, `forbidden` */
    close(id: string, closing: { readonly outcome: AccessRequestOutcome }, ctx: CallContext): Promise<void>;
    /** In order of the due date: open ones, or all on one recording. @throws MedzenError `not_found`, `forbidden` */
    list(
      query: Pick<AccessRequestQuery, 'recordingId' | 'dueBefore' | 'limit' | 'cursor'>,
      ctx: CallContext,
    ): Promise<{ readonly requests: readonly AccessRequest[]; readonly cursor?: string }>;
  };

  /**
   * The daily job: stops what `stopWithdrawn` does, decides again what has become stale, warns, archives, fails what is stuck, deletes what may be deleted. Any number may
   * run at once; a crash at any step is made good by the next run. Never throws for one row: see the report.
   *
   * @throws MedzenError `invalid_configuration` when `now` lies more than a day past the store's own clock; nothing is then done but to stop: a worker with a
   * wrong clock must not delete early
   */
  sweep(scope: Scope, options?: SweepOptions): Promise<SweepReport>;
}

/** Number of recordings to transfer or to stop, and the lease. */
export interface TransferOptions {
  /** Recordings, 1–1000; 10 when absent, 100 to stop. */
  readonly limit?: number;
  /** Lease of one worker on each recording: milliseconds, 1 000–3 600 000; 15 minutes when absent, 1 minute to stop. */
  readonly leaseMs?: number;
  readonly signal?: AbortSignal;
}

/** Options for retrying a failed recording. */
export interface RetryOptions {
  /** Reason for accepting media that does not look like the captured media. */
  readonly acceptImplausible?: string;
}

/** Lifetime of a link. */
export interface LinkOptions {
  /** Whole seconds, 1 to the default. */
  readonly expiresInSeconds?: number;
}
