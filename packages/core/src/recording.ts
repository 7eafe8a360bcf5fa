/** State of a recording in its life cycle. */
export type RecordingState =
  | 'starting'
  | 'recording'
  | 'processing'
  | 'uploading'
  | 'available'
  | 'archived'
  | 'deleting'
  | 'deleted'
  | 'failed';

/**
 * Allowed next states of each state. SQL holds the same table and refuses anything else; a contract case compares them.
 * `starting`: the provider was asked to record and its answer is not known yet. `archived` → `available` when new
 * treatment or a changed rule moves the date; `failed` → `uploading` and `failed` → `processing` (its media is made
 * again) are retries; `failed` → `recording` when the provider turns out to be capturing it; `failed` → `deleting` is
 * its end after retention, or after review when nothing was ever stored. `deleting` goes back only while nothing of the
 * recording was removed.
 */
export const recordingTransitions: Readonly<Record<RecordingState, readonly RecordingState[]>> = {
  starting: ['recording', 'processing', 'uploading', 'failed'],
  recording: ['processing', 'uploading', 'failed'],
  processing: ['uploading', 'failed'],
  uploading: ['available', 'failed'],
  available: ['archived', 'deleting'],
  archived: ['available', 'deleting'],
  deleting: ['deleted', 'available', 'archived', 'failed'],
  deleted: [],
  failed: ['recording', 'processing', 'uploading', 'deleting'],
};

/** Someone who takes part in the recorded session. */
export interface RecordingParticipant {
  /** The identity provider's subject. */
  readonly id: string;
  readonly role: 'patient' | 'provider' | 'guest';
  /** ISO 3166-2 place, for consent law. Absent = unknown, which counts as the strictest. */
  readonly location?: string;
}

/** The media at the provider, to be transferred. */
export interface ProviderMedia {
  /** The provider's id of it, e.g. a Twilio CompositionSid. */
  readonly ref: string;
  readonly contentType: string;
  /** As the provider stated; checked when it is transferred. */
  readonly size?: number;
  /** Subject of the person who accepted it although it does not look like the captured media. */
  readonly acceptedBy?: string;
}

/** The media in the object store, as read back from it. */
export interface StoredObject {
  readonly key: string;
  readonly versionId: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly contentType: string;
  readonly encryption?: string;
}

/** Location of the media of a recording, present or future: configured when it started, confirmed by the transfer. */
export interface RecordingStorage {
  /** As `ObjectStore.location` has it. */
  readonly store: string;
  readonly bucket: string;
  readonly region?: string;
  /** As the store told when the media was transferred: `GLACIER`, …; absent for its usual class. */
  readonly storageClass?: string;
}

/**
 * Lock that kept the media from being deleted when the object store was last asked: S3 Object Lock or an equivalent.
 */
export interface RecordingLock {
  /** RFC 3339 UTC. */
  readonly checkedAt: string;
  /** RFC 3339 UTC; absent for a lock without an end. */
  readonly lockedUntil?: string;
  readonly legalHold?: boolean;
  readonly mode?: 'governance' | 'compliance';
}

/** A deletion that has begun. */
export interface Deletion {
  /** State to which the recording returns when the deletion is canceled. */
  readonly from: 'available' | 'archived' | 'failed';
  /** `nothing_stored`: a failed recording of which no media was ever stored, ended by a person; no retention rule was asked. */
  readonly basis: 'retention' | 'nothing_stored';
  /** RFC 3339 UTC. */
  readonly startedAt: string;
  readonly startedBy: string;
  readonly reason: string;
  /** Rules of the decision on which it began. */
  readonly ruleIds: readonly string[];
  readonly citations: readonly string[];
  /** Versions and delete markers that the object store was asked to remove and that are not known to be there still. */
  readonly versions: number;
  /** Total size of these versions. */
  readonly bytes: number;
  /** The provider was asked to remove its copy. */
  readonly providerAsked?: boolean;
}

/** The rule set that decides how long this recording is kept. */
export interface RetentionClass {
  /** ISO 3166-2 place of the provider's licence: `US-GA`. */
  readonly jurisdiction: string;
  /** As the rules name it: `psychologist`, `physician`, `hospital`, … */
  readonly providerClass: string;
  /** IANA zone in which calendar days are counted. */
  readonly zone: string;
}

/** The last evaluation of the rules, as stored. All instants RFC 3339 UTC. */
export interface StoredDecision {
  readonly rulesVersion: string;
  /** The revision of the patient's facts that it is based on. */
  readonly factsRevision: number;
  /** When it was made. */
  readonly decidedAt: string;
  /** Absent while the decision is `unknown`: nothing is ever due then. */
  readonly retainUntil?: string;
  readonly warnAt?: string;
  /** End of the grace: nothing is deleted before it. */
  readonly graceUntil?: string;
  readonly ruleIds: readonly string[];
  /**
   * Reason why there are no dates. `unknown`: no verified rule gives a period, or a fact that one counts from is
   * missing. `claim`: a claim is open. `unjudged`: the row or its patient's facts could not be read as dates. Absent
   * when there are dates.
   */
  readonly undated?: 'unknown' | 'claim' | 'unjudged';
}

/** A day before which one recording is kept whatever the rules say, set by a person. It may move later, never earlier. */
export interface KeepUntil {
  /** RFC 3339 UTC; at most 100 years after it was set. */
  readonly until: string;
  /** 1–2048 characters. */
  readonly reason: string;
}

/** Permanent record of a deleted recording. */
export interface Tombstone {
  readonly deletedAt: string;
  readonly deletedBy: string;
  readonly reason: string;
  readonly ruleIds: readonly string[];
  readonly citations: readonly string[];
  /** Distinct versions and delete markers removed, by all attempts together: each was noted before the object store was asked to remove it. */
  readonly versionsDeleted: number;
  readonly bytesDeleted: number;
  /** Location of the deleted media. */
  readonly storage?: RecordingStorage;
  /** The media could not be found, and a person ended the recording knowing that. */
  readonly mediaMissing?: boolean;
  /** There was media at the provider, which deleted it before it was transferred: what was captured is lost. */
  readonly mediaExpired?: boolean;
  /** Copies that the deletion does not reach, as the host declared them: replicas, backups. */
  readonly otherCopies?: readonly { readonly name: string; readonly goneBy?: string }[];
  /** SHA-256 of the media, hexadecimal. */
  readonly sha256?: string;
  /** The last listing of the prefix, which was empty. */
  readonly provedEmptyAt: string;
  /** Data that the provider still keeps, if any, and for how long. */
  readonly providerNote?: string;
}

/** A recording as the store knows it. All instants RFC 3339 UTC, milliseconds. */
export interface Recording {
  /** UUIDv7. */
  readonly id: string;
  readonly sessionId: string;
  readonly patient: string;
  readonly participants: readonly RecordingParticipant[];
  /** `twilio`, … */
  readonly provider: string;
  /** The provider's id of the session, e.g. a Twilio RoomSid. */
  readonly providerRef: string;
  /** The account at the provider, as `Provider.account` was at the start. */
  readonly providerAccount?: string;
  readonly state: RecordingState;
  readonly stateAt: string;
  /** When it was asked for, by the clock of the process that asked, or the store's where that one contradicts it. */
  readonly startedAt: string;
  /**
   * When the capture began, by the provider, where that contradicts `startedAt` by more than five minutes: a clock was wrong, or it began
   * later. Never later than the store's clock. Retention counts from it.
   */
  readonly capturedAt?: string;
  readonly endedAt?: string;
  readonly durationSeconds?: number;
  readonly media?: ProviderMedia;
  readonly object?: StoredObject;
  /** Everything of this recording lies under it in the object store. */
  readonly objectPrefix: string;
  /** Absent in rows of unknown origin: their media is looked for in the only store that is configured. */
  readonly storage?: RecordingStorage;
  /** Absent while no lock is known. */
  readonly lock?: RecordingLock;
  /** Present in state `deleting` only. */
  readonly deletion?: Deletion;
  readonly retentionClass: RetentionClass;
  /** A floor of its own, under whatever the rules say. */
  readonly keepUntil?: KeepUntil;
  readonly decision?: StoredDecision;
  /**
   * Nothing is deleted before it: `graceUntil`, or, when the warning of it went out late, as long after the warning as was meant to lie
   * between them (`warnAt` to `graceUntil`). Absent until that warning was recorded.
   */
  readonly deletableAt?: string;
  readonly failure?: { readonly code: string; readonly at: string; readonly attempts: number };
  /** A participant took consent back while it ran: since when it has to be stopped, and by which consent record. Stays when it was stopped. */
  readonly stopRequest?: { readonly at: string; readonly consent: string };
  readonly tombstone?: Tombstone;
  /** Active legal holds, on the recording or on its patient. */
  readonly holds: number;
  /** Open access requests, on the recording or on its patient. */
  readonly accessRequests: number;
  readonly views: number;
  readonly downloads: number;
  /** Grows by one with each change; compared and swapped. */
  readonly revision: number;
}

/**
 * Something that happened to a patient and that a retention rule counts from. A fact is never changed or removed: a mistake is voided
 * by a later fact of the same patient, which may itself be voided; then the first one stands again.
 */
export interface RetentionFact {
  /** UUID; a retry with the same id and content is the same fact. */
  readonly id: string;
  readonly patient: string;
  /** `void` only takes a mistaken fact back and says nothing else; it needs `voids`. */
  readonly type: RetentionFactType;
  /**
   * Local calendar date, `YYYY-MM-DD`: from 1900 on, and at most one day after the store's present day in `zone`. Of a `void`: the day on
   * which it was corrected.
   */
  readonly date: string;
  /** IANA zone of that date. */
  readonly zone: string;
  /** The id of an earlier fact of the same patient that was a mistake. This fact stands in its place. */
  readonly voids?: string;
}

/** The kinds of facts. */
export type RetentionFactType =
  | 'treatment'
  | 'discharge'
  | 'therapy_ended'
  | 'birth'
  | 'death'
  | 'claim_opened'
  | 'claim_closed'
  | 'void';

/** A duty to keep, placed by a person. Several may stand at once. */
export interface LegalHold {
  readonly id: string;
  /** Exactly one of the two. */
  readonly target: { readonly recordingId: string } | { readonly patient: string };
  /** The case or matter. */
  readonly matter: string;
  readonly reason: string;
  readonly placedBy: string;
  readonly placedAt: string;
  readonly releasedBy?: string;
  readonly releasedAt?: string;
}

/**
 * Milliseconds after entering a state until the provider is asked about a recording for the first time; absent: never.
 * Callbacks come sooner than that; this is for those that were lost. SQL holds the same table.
 */
export const firstLookMs: Readonly<Partial<Record<RecordingState, number>>> = {
  starting: 60_000,
  recording: 600_000,
  processing: 60_000,
  uploading: 604_800_000,
  /** Only without `media` and `object`. */
  failed: 60_000,
};

/**
 * True when a recording is live: at most one per session, and one per session of the provider.
 *
 * @see mayStillRun for what has to be stopped, which is more
 */
export function isLive({ state }: Pick<Recording, 'state'>): boolean {
  return state === 'starting' || state === 'recording';
}

/**
 * True when the provider may still be capturing it. A failed start may have begun all the same, and a failed track
 * leaves others that run, until its end is known or media was made of it.
 */
export function mayStillRun({ state, endedAt, media }: Pick<Recording, 'state' | 'endedAt' | 'media'>): boolean {
  return isLive({ state }) || (state === 'failed' && endedAt === undefined && media === undefined);
}

/** True when a deletion can no longer be canceled: something of the recording was removed, or may have been. */
export function isBeyondRecall({ state, deletion }: Pick<Recording, 'state' | 'deletion'>): boolean {
  if (state === 'deleted') return true;
  return deletion !== undefined && (deletion.versions > 0 || deletion.providerAsked === true);
}

/** True when the media is stored and complete, so that those who may see the recording may be given a link. */
export function isPlayable(recording: Pick<Recording, 'state' | 'object' | 'deletion'>): boolean {
  const { state, object } = recording;
  if (object === undefined) return false;
  return state === 'available' || state === 'archived' || (state === 'deleting' && !isBeyondRecall(recording));
}
