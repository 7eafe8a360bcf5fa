/** The last checkpoint of one log that a witness cosigned. */
export interface WitnessState {
  /** Leaves, 0 to 2⁵³ − 1. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** As the log signed it: proof of what it once said. */
  readonly checkpoint: string;
}

/**
 * Stores a witness's last checkpoint per log. If it is lost or restored from an old copy, retire the witness: it could
 * cosign a forked history.
 */
export interface WitnessStore {
  /** The state of a log by its origin; undefined when the witness never cosigned it. @throws MedzenError `store_unavailable` */
  read(origin: string): Promise<WitnessState | undefined>;
  /**
   * Compares and swaps, atomically, and durable before it resolves.
   *
   * @param expectedSize - of the state there is now; 0 also when there is none
   * @returns false when the state is another by now: nothing was written
   * @throws MedzenError `store_unavailable`
   */
  replace(origin: string, expectedSize: number, next: WitnessState): Promise<boolean>;
}

/**
 * A memory for tests and demos: it forgets when the process ends, which no witness in service may.
 *
 * @example
 * ```ts
 * import { memoryWitnessStore } from '@medzen/audit';
 * await memoryWitnessStore().read('example.org/audit'); // undefined
 * ```
 */
export function memoryWitnessStore(): WitnessStore {
  const states = new Map<string, WitnessState>();
  return {
    read: async (origin) => states.get(origin),
    replace: async (origin, expectedSize, next) => {
      if ((states.get(origin)?.size ?? 0) !== expectedSize) return false;
      states.set(origin, next);
      return true;
    },
  };
}
