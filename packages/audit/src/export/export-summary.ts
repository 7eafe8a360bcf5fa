/** What an export came to. */
export interface ExportSummary {
  /** Events read. */
  readonly events: number;
  /** Lines written for them: fewer in a format that does not know them all. */
  readonly lines: number;
  /** Ids of rows that could not be opened or written, at most 1000: something was altered behind the log's back. See `verifyLog`. */
  readonly damaged: readonly string[];
}
