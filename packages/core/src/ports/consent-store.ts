import type { SealedEvent } from '../audit/audit-event.ts';
import type { Scope } from '../scope.ts';

/** The four things a participant is asked to acknowledge. */
export interface ConsentAcknowledgements {
  readonly recording: boolean;
  readonly storage: boolean;
  readonly access: boolean;
  readonly retention: boolean;
}

/** One statement of one participant about one session. Later records supersede earlier ones; none is changed. */
export interface ConsentRecord {
  /** UUID. A retry with the same id and content is the same record. */
  readonly id: string;
  readonly sessionId: string;
  /** The participant's subject. */
  readonly participant: string;
  readonly decision: 'given' | 'withdrawn';
  readonly acknowledgements: ConsentAcknowledgements;
  /** Which text was shown, and the SHA-256 (hex) of exactly that text. */
  readonly textVersion: string;
  readonly textSha256: string;
  /** BCP 47. */
  readonly language: string;
  readonly method: 'click' | 'written' | 'verbal' | 'signature';
  /** The participant's stated location, ISO 3166-2 such as `US-GA`. Absent: unknown. */
  readonly location?: string;
  readonly ip?: string;
  readonly userAgent?: string;
  /** RFC 3339, server-side. */
  readonly at: string;
}

/** Stores consents. Append-only. */
export interface ConsentStore {
  /**
   * Adds a record and its event in one transaction. A withdrawal gives, in that transaction too, every recording of the session in which
   * the participant takes part and that may still run a `stopRequest`, unless it has one: see `RecordingStore.claimStops`. So no recording
   * of which a withdrawal is known goes unstopped because somebody died in between; and a start that commits later sees the withdrawal.
   *
   * @throws MedzenError `conflict` when the id exists with other content; what `AuditStore.append` throws for the event;
   * `store_unavailable`. Nothing is written then, nor when the record is `repeated`
   */
  record(
    scope: Scope,
    consent: ConsentRecord,
    event: SealedEvent,
  ): Promise<{ readonly status: 'recorded' | 'repeated' }>;

  /** The record of each participant of a session that was recorded last (whatever its `at` says), in order of the participant. */
  current(scope: Scope, sessionId: string): Promise<readonly ConsentRecord[]>;
}
