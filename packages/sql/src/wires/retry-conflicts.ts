import { isMedzenError, type WireRow } from '@medzen/core';
import { sqlstateOf } from '../sqlstate.ts';

const attempts = 10;
const maxPauseMs = 100;

/**
 * Makes a call that is a transaction of its own again when it met another one (SQLSTATE 40001 of SERIALIZABLE, 40P01 of a deadlock):
 * it was undone as a whole, so that nothing is written twice. Ten times at most, within half a second of waiting.
 *
 * @param alone - whether the call is no part of a host's transaction, which only the host can begin again
 */
export async function retryConflicts(
  alone: () => boolean,
  call: () => Promise<readonly WireRow[]>,
  signal: AbortSignal | undefined,
): Promise<readonly WireRow[]> {
  for (let attempt = 1; ; attempt++) {
    const before = alone();
    try {
      return await call();
    } catch (error) {
      const state = isMedzenError(error) ? sqlstateOf(error.cause) : undefined;
      const met = state === '40001' || state === '40P01';
      if (!met || !before || !alone() || attempt === attempts || signal?.aborted === true) throw error;
      // Those that met each other must not meet again: each waits for another time.
      const pause = Math.random() * Math.min(maxPauseMs, 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
