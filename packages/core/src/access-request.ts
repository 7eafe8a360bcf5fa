/**
 * A person's request for access to their record (45 CFR 164.524), which is to be acted on by a date. While it is open nothing that it
 * covers is deleted.
 */
export interface AccessRequest {
  /** UUID. */
  readonly id: string;
  /** Exactly one of the two. */
  readonly target: { readonly recordingId: string } | { readonly patient: string };
  /** The person who asked: the patient, or a personal representative. 1–256 characters. */
  readonly requestedBy: string;
  /** When the request was received: RFC 3339 UTC. */
  readonly receivedAt: string;
  /** By when it is to be acted on: RFC 3339 UTC. 30 days after it was received; 30 more when it was extended. */
  readonly dueAt: string;
  readonly openedBy: string;
  /** Extended once, with the reason that the person was told in writing. */
  readonly extension?: { readonly at: string; readonly by: string; readonly reason: string };
  readonly closed?: { readonly at: string; readonly by: string; readonly outcome: AccessRequestOutcome };
}

/** Outcome of a request. */
export type AccessRequestOutcome = 'provided' | 'denied' | 'withdrawn';

/** Days within which a request is to be acted on, and by which it may be extended once. 45 CFR 164.524(b)(2). */
export const accessRequestDays = 30;
