import type { AuditActor, AuditEvent } from '@medzen/core';

/** Which accesses a report covers. */
export interface AccessReportOptions {
  /** Inclusive; the beginning of the log when absent. */
  readonly from?: Date;
  /** Exclusive; without it, all that is there when the report begins. */
  readonly to?: Date;
  /** How many of the latest events to list whole, 0–10 000; 1000 when absent. The people are counted over all. */
  readonly events?: number;
}

/** One party that touched, or tried to touch, the record. */
export interface AccessReportPerson {
  readonly actor: Pick<AuditActor, 'id' | 'type'>;
  /** Every role under which it appears. */
  readonly roles: readonly string[];
  /** Events that succeeded, by action. */
  readonly actions: Readonly<Record<string, number>>;
  /** Events that succeeded. */
  readonly accesses: number;
  readonly denied: number;
  readonly failed: number;
  /** Accesses under `BTG` or `ETREAT`. */
  readonly emergency: number;
  /** RFC 3339; of the earliest and the latest event. */
  readonly first: string;
  readonly last: string;
}

/** Everyone who touched one patient's record. */
export interface AccessReport {
  readonly patient: string;
  /** RFC 3339. */
  readonly generatedAt: string;
  /** By accesses, most first; those who were only refused stand last. */
  readonly people: readonly AccessReportPerson[];
  /** The latest, newest first. */
  readonly events: readonly AuditEvent[];
  /** Events counted, including those not listed. */
  readonly total: number;
  /** Ids of rows that could not be opened, at most 1000: see `verifyLog`. */
  readonly damaged: readonly string[];
}
