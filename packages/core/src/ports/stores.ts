import type { ArchiveStore } from './archive-store.ts';
import type { AuditStore } from './audit-store.ts';
import type { ConsentStore } from './consent-store.ts';
import type { CursorStore } from './cursor-store.ts';
import type { IdentityStore } from './identity-store.ts';
import type { LogStore } from './log-store.ts';
import type { RateLimitStore } from './rate-limit-store.ts';
import type { RecordingStore } from './recording-store.ts';
import type { ReviewStore } from './review-store.ts';

/** Every store that one database (or one process's memory) offers. */
export interface Stores {
  readonly audit: AuditStore;
  /** The sequencer's side of the audit log. */
  readonly log: LogStore;
  /** Archive state of the log, and the purge. */
  readonly archive: ArchiveStore;
  /** Positions of the log's consumers. */
  readonly cursors: CursorStore;
  /** Findings to review. */
  readonly reviews: ReviewStore;
  /** Clear values of the log's pseudonyms. */
  readonly identities: IdentityStore;
  readonly consents: ConsentStore;
  readonly recordings: RecordingStore;
  readonly limits: RateLimitStore;
}
