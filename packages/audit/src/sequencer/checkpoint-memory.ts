/** The rebase that ended an origin, as it was decided: enough to finish it after a crash, with the same bytes. */
export interface Succession {
  /** The origin that goes on. */
  readonly origin: string;
  /** The first checkpoint of that origin, as it was signed. */
  readonly checkpoint: string;
  /** The event that records the rebase: its id and its canonical JSON. */
  readonly event: { readonly id: string; readonly body: string };
}

/** State remembered of one origin. */
export interface RememberedLog {
  /** The last checkpoint that was signed and committed under this origin. */
  readonly checkpoint: string;
  /** Set once a rebase has ended the origin: nothing more is signed under it. */
  readonly successor?: Succession;
}

/**
 * Remembers, outside the database, what a sequencer has signed. A database that is restored from a copy forgets checkpoints; with this memory the
 * sequencer notices, instead of signing a second tree of the same size under the same key. Keep it where a restore of the database does not reach:
 * on another disk, in another account. Any number of sequencers may share one.
 */
export interface CheckpointMemory {
  /** Reads what is known of an origin; undefined when nothing is. @throws MedzenError `store_unavailable`, also for a memory that is damaged */
  read(origin: string): Promise<RememberedLog | undefined>;
  /**
   * Compares and swaps, atomically, and durable before it resolves.
   *
   * @param expected - what `read` gave
   * @returns false when it is something else by now: nothing was written
   * @throws MedzenError `store_unavailable`
   */
  replace(origin: string, expected: RememberedLog | undefined, next: RememberedLog): Promise<boolean>;
}

/**
 * Makes a memory for tests and demos. It forgets when the process ends, which no memory in service may.
 *
 * @example
 * ```ts
 * import { memoryCheckpoints } from '@medzen/audit';
 * await memoryCheckpoints().read('example.org/audit'); // undefined
 * ```
 */
export function memoryCheckpoints(): CheckpointMemory {
  const logs = new Map<string, RememberedLog>();
  return {
    read: async (origin) => logs.get(origin),
    replace: async (origin, expected, next) => {
      if (!isSameMemory(logs.get(origin), expected)) return false;
      logs.set(origin, next);
      return true;
    },
  };
}

/** Tells whether two memories of an origin say the same. For the author of a {@link CheckpointMemory}. */
export function isSameMemory(a: RememberedLog | undefined, b: RememberedLog | undefined): boolean {
  return (
    a?.checkpoint === b?.checkpoint &&
    a?.successor?.origin === b?.successor?.origin &&
    a?.successor?.checkpoint === b?.successor?.checkpoint &&
    a?.successor?.event.body === b?.successor?.event.body
  );
}
