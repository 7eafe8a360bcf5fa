import {
  type Clock,
  errorFields,
  isMedzenError,
  type Logger,
  type LogHead,
  type LogLag,
  type LogStore,
  MedzenError,
  stderrLogger,
  systemClock,
} from '@medzen/core';
import { signCheckpoint } from './checkpoint.ts';
import { createCosigning } from './cosigning.ts';
import { createLagWatch, type LagReport } from './lag-watch.ts';
import { createLogGuard } from './log-guard.ts';
import type { CheckpointMemory } from './sequencer/checkpoint-memory.ts';
import type { Signer } from './signer.ts';
import { sleepUntil } from './sleep-until.ts';
import { createTileReader } from './tile-reader.ts';
import { createTreeHasher } from './tree-hasher.ts';
import type { WitnessClient } from './witness-client.ts';

/** Dependencies of a sequencer. */
export interface SequencerDeps {
  readonly store: LogStore;
  /** Holds the key, outside the database; its origin names the log. */
  readonly signer: Signer;
  /**
   * Remembers outside the database what was signed: without it, a database restored from a copy would have a second tree of the same size signed by the
   * same key, and nobody could tell which one holds. Give a {@link CheckpointMemory}: `fileCheckpoints(folder)` of `@medzen/audit/node`, or one of your
   * own. Or say `'witnesses'`: nothing is signed before one of the `witnesses` has answered. Or, for tests and demos, `'unguarded'`: what the database
   * shows is believed as long as it is signed. Absent: as `'unguarded'`, and the logger is warned once that a restore would go unnoticed.
   */
  readonly memory?: CheckpointMemory | 'witnesses' | 'unguarded';
  /** Verifier keys that signed before this one: of the same origin after a rotation, when the stored checkpoint is still theirs. */
  readonly previousKeys?: readonly string[];
  /**
   * A checkpoint known to be good, kept elsewhere: the log must have grown out of it. Needed once where a memory is new and the log is not. It may be of
   * an origin that a rebase has ended; then `previousKeys` must open it, and the log must have said what was lost of it.
   */
  readonly trusted?: string;
  /**
   * Asked to cosign each checkpoint once it is committed, and before the first signature whether they know of another history. One that does
   * not answer holds nobody up.
   */
  readonly witnesses?: readonly WitnessClient[];
  /** Events a batch, 1–10 000; 1000 when absent. One signature a batch. */
  readonly batchSize?: number;
  readonly logger?: Logger;
  /** Milliseconds that an event may wait, or an open transaction hold events back, before the log is late, ≥ 1; 60 000 when absent. */
  readonly lagBoundMs?: number;
  /** Told once when the log is late, with the cause as far as the store knows it, and once when it has caught up. The logger hears it too. */
  readonly onLag?: (report: LagReport) => void;
  readonly clock?: Clock;
  /** Waits between ticks of `run`; ends early, without an error, when the signal is aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Result of one tick. */
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
      /** The signed checkpoint's text: publish it, keep it elsewhere. Cosignatures are in the store. */
      readonly checkpoint: string;
      /** Witnesses whose cosignature of it this sequencer has stored. */
      readonly cosigned: number;
    }
  /** No event was waiting. */
  | {
      readonly status: 'idle';
      readonly sequenced: 0;
      readonly size: number;
      readonly root: Uint8Array;
      /** Absent while the tree is empty. */
      readonly checkpoint?: string;
      readonly cosigned: number;
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
   * process saw or was handed, or its memory or a witness knows: somebody altered the log, or an old copy was restored; also once a rebase has ended
   * the origin. It signs nothing then, and an operator must look: see `rebaseLog`. `invalid_configuration` when the memory is new and the log is not.
   * `store_unavailable`, also from a memory or, with `memory: 'witnesses'`, until one of them has answered
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

  /** How far the tree lags behind the writers, and which open transaction holds events back. */
  lag(): Promise<LogLag>;
}

/**
 * Makes a sequencer. Until an event is sequenced it is immutable to the application, but not yet tamper-evident.
 *
 * @throws MedzenError `invalid_configuration` for a bad batch size, bound or memory
 * @example
 * ```ts
 * import { createSequencer, createSigner } from '@medzen/audit';
 * import { fileCheckpoints } from '@medzen/audit/node';
 * import type { LogStore } from '@medzen/core';
 * async function sequence(store: LogStore, seed: Uint8Array, signal: AbortSignal): Promise<void> {
 *   const signer = createSigner({ origin: 'example.org/audit', privateKey: seed });
 *   const memory = await fileCheckpoints('/var/lib/clinic/checkpoints'); // not on the disk of the database
 *   await createSequencer({ store, signer, memory }).run({ intervalMs: 1000, signal });
 * }
 * ```
 */
export function createSequencer(deps: SequencerDeps): Sequencer {
  const { store, signer, batchSize = 1000, logger = stderrLogger, sleep = sleepUntil } = deps;
  const { witnesses = [], clock = systemClock, lagBoundMs = 60_000, onLag = () => {} } = deps;
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > 10_000)
    throw new MedzenError('invalid_configuration', 'batchSize must be an integer from 1 to 10,000');
  if (!(lagBoundMs >= 1)) throw new MedzenError('invalid_configuration', 'The bound of the lag is 1 ms or more');
  checkMemory(deps);
  if (deps.memory === undefined)
    logger.warn(
      'sequencer: memory is missing, so a restored database could be signed twice; give fileCheckpoints(folder)',
      {
        origin: signer.origin,
      },
    );
  const memory = typeof deps.memory === 'string' ? undefined : deps.memory;
  const hasher = createTreeHasher();
  const guard = createLogGuard({ ...deps, memory, hasher });
  const tiles = createTileReader(store, hasher);
  const cosigning = createCosigning({ store, tiles, witnesses, clock, logger });
  const watchLag = createLagWatch({ store, clock, logger, boundMs: lagBoundMs, onLag });
  let metWitnesses = false;
  /** One that contradicts is met again before anything more is signed. */
  const meet = async (head: LogHead, signal: AbortSignal | undefined): Promise<number> => {
    metWitnesses = false;
    const cosigned = await cosigning.cosign(head, signal);
    metWitnesses = true;
    return cosigned;
  };
  /** An emptied database holds no checkpoint that a witness could contradict: it is asked about the empty tree. */
  const introduce = async ({ size, root, checkpoint }: LogHead, signal: AbortSignal | undefined): Promise<void> => {
    const signed = checkpoint ?? (await signCheckpoint({ origin: signer.origin, size, root }, signer));
    await meet({ size, root, checkpoint: signed }, signal);
    if (deps.memory === 'witnesses' && cosigning.answered(size) === 0) {
      metWitnesses = false;
      throw new MedzenError(
        'store_unavailable',
        "No witness has answered: with memory: 'witnesses', one must before anything is signed",
      );
    }
  };

  const once = async (signal: AbortSignal | undefined): Promise<TickResult> => {
    signal?.throwIfAborted();
    const head = await store.head();
    const { edge, extensions } = await guard.check(head);
    if (!metWitnesses && witnesses.length > 0) await introduce(head, signal);
    signal?.throwIfAborted();
    const events = await store.readBatch(batchSize);
    if (events.length === 0) return { status: 'idle', sequenced: 0, ...head, cosigned: await meet(head, signal) };

    const leafHashes = events.map(({ body }) => edge.append(body));
    const size = head.size + events.length;
    const root = edge.root();
    signal?.throwIfAborted();
    const checkpoint = await signCheckpoint({ origin: signer.origin, size, root, extensions }, signer);
    const { status } = await store.commitBatch({
      expectedSize: head.size,
      expectedRoot: head.root,
      eventIds: events.map(({ id }) => id),
      leafHashes,
      tiles: edge.changed(),
      root,
      checkpoint,
    });
    if (status === 'conflict') return { status, sequenced: 0 };
    await guard.committed({ size, root, checkpoint });
    const cosigned = await meet({ size, root, checkpoint }, signal);
    return { status, sequenced: events.length, size, root, checkpoint, cosigned };
  };

  // Ticks of one sequencer go one after another: a tick that read its head before another's commit would take the log for cut back.
  let last: Promise<unknown> = Promise.resolve();
  const tick: Sequencer['tick'] = (signal) => {
    const next = last.then(async () => {
      const result = await once(signal);
      await watchLag();
      return result;
    });
    last = next.catch(() => {}); // reported to its own caller
    return next;
  };

  return {
    tick,
    run: async ({ intervalMs, signal }) => {
      let failures = 0;
      while (!signal.aborted) {
        let pause = intervalMs;
        try {
          const result = await tick(signal);
          failures = 0;
          if (result.status === 'conflict') pause = Math.min(intervalMs, 100);
          if (result.sequenced === batchSize) pause = 0;
        } catch (error) {
          if (signal.aborted) return;
          if (!isMedzenError(error) || !error.retryable) {
            logger.error('the sequencer stopped', errorFields(error));
            throw error;
          }
          failures++;
          pause = Math.min(intervalMs * 2 ** failures, maxPauseMs);
          logger.warn('the sequencer will try again', { ...errorFields(error), failures, pause });
        }
        if (pause > 0) await sleep(pause, signal);
      }
    },
    lag: () => store.lag(),
  };
}

const maxPauseMs = 60_000;

/** Checks it for plain JavaScript, too. */
function checkMemory({ memory, witnesses = [] }: SequencerDeps): void {
  const given: unknown = memory;
  const isStore = typeof given === 'object' && given !== null && 'read' in given && 'replace' in given;
  if (!isStore && given !== undefined && given !== 'witnesses' && given !== 'unguarded')
    throw new MedzenError(
      'invalid_configuration',
      "memory must be a CheckpointMemory such as fileCheckpoints(folder), 'witnesses', or 'unguarded' for tests",
    );
  if (given === 'witnesses' && witnesses.length === 0)
    throw new MedzenError('invalid_configuration', "memory: 'witnesses' needs one in witnesses");
}
