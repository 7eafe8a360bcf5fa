import type { Json } from '../canonical-json.ts';

/** HL7 v3 PurposeOfUse codes in use here (code system v3-ActReason). */
export type PurposeOfUse =
  | 'TREAT'
  | 'HPAYMT'
  | 'HOPERAT'
  | 'ETREAT'
  | 'BTG'
  | 'PATRQT'
  | 'HRESCH'
  | 'PUBHLTH'
  | (string & {});

/** Actions that hosts log today. The vocabulary is open: any dotted lowercase name is accepted. */
export type AuditAction =
  | 'recording.start'
  | 'recording.start_confirm'
  | 'recording.stop'
  | 'recording.reconcile'
  | 'recording.view'
  | 'recording.download'
  | 'recording.list'
  | 'recording.status'
  | 'recording.explain'
  | 'recording.ingest'
  | 'recording.transfer'
  | 'recording.upload_completed'
  | 'recording.failed'
  | 'recording.retry'
  | 'recording.archive'
  | 'recording.restore'
  | 'recording.compose'
  | 'recording.delete'
  | 'recording.delete_start'
  | 'recording.delete_cancel'
  | 'recording.provider_delete'
  | 'recording.retention_warning'
  | 'access_request.open'
  | 'access_request.extend'
  | 'access_request.close'
  | 'access_request.list'
  | 'hold.list'
  | 'hold.place'
  | 'hold.release'
  | 'retention.fact'
  | 'retention.keep'
  | 'consent.give'
  | 'consent.withdraw'
  | 'consent.view'
  | 'audit.search'
  | 'audit.report'
  | 'audit.export'
  | 'audit.review'
  | 'audit.verify'
  | 'audit.purge'
  | 'audit.rebase'
  | 'audit.readmit'
  | 'job.report'
  | 'session.start'
  | 'session.end'
  | 'session.timeout'
  | 'mfa.enroll'
  | 'mfa.challenge'
  | 'mfa.verify'
  | 'mfa.fail'
  | 'message.send'
  | 'message.read'
  | 'message.delete'
  | 'table.read'
  | 'table.write'
  | 'table.delete'
  | 'webhook.reject'
  | 'request.denied'
  | 'rate_limit.exceeded'
  | 'rate_limit.unavailable'
  | 'service.access'
  | 'config.change'
  | 'identity.erase'
  | (string & {});

/** The person, service or system that acted. */
export interface AuditActor {
  /** The identity provider's subject, or a service's name. 1–256 characters. */
  readonly id: string;
  readonly type: 'user' | 'service' | 'system';
  readonly role?: string;
  /** The person for whom the actor acts. */
  readonly onBehalfOf?: string;
  readonly name?: string;
}

/** From where. */
export interface AuditSource {
  readonly ip?: string;
  /** Truncated to 512 characters when sealed. */
  readonly userAgent?: string;
  readonly sessionId?: string;
  readonly requestId?: string;
  readonly traceId?: string;
}

/** The details that make an event count in an accounting of disclosures. */
export interface AuditDisclosure {
  readonly recipient: { readonly name: string; readonly address?: string };
  readonly description: string;
  /** The purpose, or a copy of the request (45 CFR 164.528(b)(2)(iv)). */
  readonly basis: string;
}

/**
 * One thing that happened to one person's data, or was refused.
 *
 * @see 45 CFR 164.312(b); IHE BALP; 45 CFR 164.528 for `disclosure`
 */
export interface AuditEvent {
  readonly v: 1;
  /** UUIDv7, lower case. */
  readonly id: string;
  /** RFC 3339, milliseconds, UTC: `2026-11-21T09:30:00.000Z`. */
  readonly at: string;
  readonly tenant?: string;
  readonly action: AuditAction;
  readonly kind: 'create' | 'read' | 'update' | 'delete' | 'execute';
  readonly outcome: 'success' | 'denied' | 'failed';
  readonly actor: AuditActor;
  /** The host's id of the patient whose PHI was touched. */
  readonly patient?: string;
  /** What was touched. Without an id when it was several at once: rows of a table by one statement. */
  readonly target?: { readonly type: string; readonly id?: string };
  /** Names of the fields touched. Never values. */
  readonly fields?: readonly string[];
  readonly purpose?: PurposeOfUse;
  /** Free text given by a person; required for `ETREAT` and `BTG`. ≤ 2048 characters. */
  readonly reason?: string;
  readonly source: AuditSource;
  readonly disclosure?: AuditDisclosure;
  /** Small, without PHI: sizes, durations, rule ids. */
  readonly detail?: { readonly [key: string]: Json };
  /** 16 random bytes, lower-case hexadecimal, so that a leaf hash tells nothing to one who guesses. */
  readonly nonce: string;
}

/** An event before it is sealed: `sealEvent` adds `v`, `id`, `at` and `nonce`. */
export type AuditEventDraft = Omit<AuditEvent, 'v' | 'id' | 'at' | 'nonce'>;

/**
 * An event as it is stored: its id and its RFC 8785 bytes. Made once; a retry sends the same one.
 */
export interface SealedEvent {
  readonly id: string;
  /** UTF-8 of the canonical JSON, ≤ 65 535 bytes. The leaf of the log is exactly these bytes. */
  readonly body: Uint8Array;
}
