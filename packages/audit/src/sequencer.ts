import { type Logger, type LogLag, type LogStore, MedzenError } from '@medzen/core';
import type { Signer } from './signer.ts';

/** What a sequencer is made of. */
export interface SequencerDeps {
  readonly store: LogStore;
  /** Holds the key, outside the database; its origin names the log. */
  readonly signer: Signer;
  /** Verifier keys of the same origin that signed before this one: after a rotation, the stored checkpoint is still theirs. */
  readonly previousKeys?: readonly string[];
  /**
   * The last checkpoint known to be good, kept outside the database (a file, a witness). Without it, a restarted process believes what the
   * database shows it, as long as it is signed.
   */
  readonly trusted?: string;
  /** Events a batch, 1–10 000; 1000 when absent. One signature a batch. */
  readonly batchSize?: number;
  readonly logger?: Logger;
  /** Waits between ticks of `run`; ends early, without an error, when the signal is aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What one tick came to. */
export type TickResult =
  /** A batch is in the tree, and its checkpoint is stored. */
  | {
      readonly status: 'committed';
      /** Events this batch added, ≥ 1. */
      readonly sequenced: number;
      /** Leaves of the tree now. */
      readonly size: number;
      /** 32 bytes. */
      readonly root: Uint8Array;
      /** The signed checkpoint's text: publish it, keep it elsewhere. */
      readonly checkpoint: string;
    }
  /** No event was waiting. */
  | {
      readonly status: 'idle';
      readonly sequenced: 0;
      readonly size: number;
      readonly root: Uint8Array;
      /** Absent while the tree is empty. */
      readonly checkpoint?: string;
    }
  /** Another sequencer was faster: nothing was written. Tick again. */
  | { readonly status: 'conflict'; readonly sequenced: 0 };

/** Turns committed events into leaves of the tree, and signs what it made. */
export interface Sequencer {
  /**
   * Takes one batch: checks that what is stored is what was signed, hashes, extends, signs one checkpoint, compares and swaps. Any number
   * of sequencers may tick at once; each event becomes exactly one leaf. Killed at any point, nothing is half done: the next tick goes on.
   *
   * @param signal - ends the tick before its next call to the store
   * @throws MedzenError `checkpoint_inconsistent` when head, checkpoint and tiles contradict one another, or the last checkpoint this
   * process saw or was handed: somebody altered the log, or an old copy was restored. It signs nothing then, and an operator must look.
   * `store_unavailable`
   * @see C2SP tlog-checkpoint: “A log MUST not sign any checkpoint which is inconsistent with any checkpoint it previously signed.”
   */
  tick(signal?: AbortSignal): Promise<TickResult>;

  /**
   * Ticks until the signal: at once again while there is work, else after the interval. Trouble that may pass (a store that is down)
   * is logged and tried again; anything else ends the loop.
   *
   * @param options - `intervalMs` ≥ 1
   * @throws MedzenError `checkpoint_inconsistent`, and whatever else is not retryable
   */
  run(options: { readonly intervalMs: number; readonly signal: AbortSignal }): Promise<void>;

  /** How far the tree lags behind the writers. */
  lag(): Promise<LogLag>;
}

/**
 * Makes a sequencer. Until an event is sequenced it is immutable to the application, but not yet tamper-evident.
 *
 * @throws MedzenError `invalid_configuration` for a bad batch size
 * @example
 * ```ts
 * import { createSequencer, createSigner } from '@medzen/audit';
 * import type { LogStore } from '@medzen/core';
 * function sequence(store: LogStore, seed: Uint8Array, signal: AbortSignal): Promise<void> {
 *   const signer = createSigner({ origin: 'example.org/audit', privateKey: seed });
 *   return createSequencer({ store, signer }).run({ intervalMs: 1000, signal });
 * }
 * ```
 */
export function createSequencer(deps: SequencerDeps): Sequencer {
  const pending = (): never => {
    throw new MedzenError('internal', `Not built yet: ${deps.signer.origin}`);
  };
  return { tick: async () => pending(), run: async () => pending(), lag: () => deps.store.lag() };
}
