/** What a contract case may rely on beyond the port itself. A store that lacks one declares so, and its cases count as skipped. */
export type Capability =
  /** Several connections work at once. */
  | 'concurrency'
  /** The wire can take part in a host transaction. */
  | 'host-transaction'
  /** An independent reader can look at the database directly. */
  | 'direct-read'
  | (string & {});

/**
 * One case of a contract suite: data, so that any test runner can register it in a few lines and any adapter be put to it.
 *
 * @typeParam Context - what the adapter's author makes fresh for each case
 */
export interface ContractCase<Context> {
  /** Stable, for reports: `audit.append.idempotent`. */
  readonly id: string;
  /** A sentence of behaviour. */
  readonly title: string;
  readonly requires: readonly Capability[];
  /** Rejects when the behaviour does not hold. */
  run(context: Context): Promise<void>;
}
