/** A recording that will be deleted soon. */
export interface RetentionWarning {
  readonly tenant: string;
  readonly recordingId: string;
  readonly patient: string;
  /** Nothing is deleted before it: the end of the grace, or later when the warning is late. RFC 3339 UTC. */
  readonly deadline: string;
  readonly ruleIds: readonly string[];
  /** A legal hold stands: it is not deleted at the deadline either, until the hold is released. */
  readonly held: boolean;
}

/**
 * Tells people, through whatever the host has. May be asked twice for the same recording and deadline, when a process died between
 * telling and noting that it told.
 */
export interface Notifier {
  /**
   * Rejecting leaves the warning due: the next sweep tries again, and nothing is deleted until a warning was given and its notice has passed.
   * No answer within `timeouts.providerMs` counts as a rejection.
   *
   * @param signal - aborted at the deadline, and when the sweep is told to stop
   */
  retentionWarning(warning: RetentionWarning, signal: AbortSignal): Promise<void>;
}
