import { isMedzenError } from '@medzen/core';
import type { Room } from './room.ts';

/** Milliseconds before the n-th retry, n from 0: 200, 400, 800, … up to 10 s, each somewhere between its half and its whole. */
export function backoffMs(room: Pick<Room, 'random'>, retry: number): number {
  const whole = Math.min(10_000, 200 * 2 ** retry);
  const [byte = 0] = room.random.bytes(1);
  return Math.round(whole * (0.5 + byte / 510));
}

/**
 * Tries a few times, waiting longer each time, for as long as the failure says that a retry makes sense.
 *
 * @param times - attempts in all, ≥ 1
 */
export async function persistently<T>(
  room: Pick<Room, 'random' | 'sleep'>,
  times: number,
  attempt: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (tried >= times || signal?.aborted === true || !(isMedzenError(error) && error.retryable)) throw error;
      await room.sleep(backoffMs(room, tried - 1), signal);
    }
  }
}

/** The default wait. Ends early, without an error, when the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** The code of a failure, for reports and rows. Anything that is not ours is `internal`: its text may name hosts or people. */
export function codeOf(error: unknown): string {
  return isMedzenError(error) ? error.code : 'internal';
}
