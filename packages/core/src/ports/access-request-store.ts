import type { AccessRequest, AccessRequestOutcome } from '../access-request.ts';
import type { SealedEvent } from '../audit/audit-event.ts';
import type { Scope } from '../scope.ts';

/** Selects the access requests to list. Open ones only, unless an id or a recording is named. */
export interface AccessRequestQuery {
  readonly id?: string;
  /** On the recording and on its patient, closed ones too. */
  readonly recordingId?: string;
  /** Only those that are due before this instant. */
  readonly dueBefore?: Date;
  /** 1–200; 50 when absent. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** Access requests, beside the recordings that they keep. A part of `RecordingStore`. */
export interface AccessRequestStore {
  /**
   * Opens a request. As `placeHold` in all that concerns deletions: one on a recording that is beyond recall answers `too_late`; one on a
   * patient is always opened, and names what is beyond recall. Same id and target: `opened` again, and nothing is written.
   *
   * @throws MedzenError `conflict` when the id exists with another target, or was closed
   */
  openAccessRequest(
    scope: Scope,
    request: AccessRequest,
    event: SealedEvent,
  ): Promise<
    | { readonly status: 'opened'; readonly tooLate: readonly string[] }
    | { readonly status: 'too_late'; readonly recordingIds: readonly string[] }
    | { readonly status: 'not_found' }
  >;

  /** Moves the due date, once. */
  extendAccessRequest(
    scope: Scope,
    id: string,
    extension: NonNullable<AccessRequest['extension']> & { readonly dueAt: string },
    event: SealedEvent,
  ): Promise<{ readonly status: 'extended' | 'already_extended' | 'closed' | 'not_found' }>;

  closeAccessRequest(
    scope: Scope,
    id: string,
    closing: { readonly at: string; readonly by: string; readonly outcome: AccessRequestOutcome },
    event: SealedEvent,
  ): Promise<{ readonly status: 'closed' | 'repeated' | 'not_found' }>;

  /** In order of the due date, then id, by keyset. @throws MedzenError `invalid_input` for a bad limit or a foreign cursor */
  accessRequests(
    scope: Scope,
    query: AccessRequestQuery,
  ): Promise<{ readonly requests: readonly AccessRequest[]; readonly cursor?: string }>;
}
