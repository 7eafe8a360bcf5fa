import { checkedDeadline, MedzenError, type WireCallOptions, withDeadline } from '@medzen/core';

/** Runs one call of a wire within its deadline. `work` gets the signal that tells when to stop. */
export type CallDeadline = <T>(
  options: WireCallOptions | undefined,
  work: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

/**
 * For the author of a wire: limits how long each of its calls may take, unless a call asks for more patience.
 *
 * @param deadlineMs - 1 to 2 147 483 647 milliseconds; 10 000 when absent
 * @returns runs a call, and throws MedzenError `store_unavailable` when the deadline has passed or the call's signal was aborted
 * @throws MedzenError `invalid_configuration` for what is no deadline
 * @example
 * ```ts
 * import type { Wire } from '@medzen/core';
 * import { callDeadline } from '@medzen/sql';
 * declare function send(name: string, signal: AbortSignal): ReturnType<Wire['call']>; // of your driver
 * const within = callDeadline(5000);
 * const call: Wire['call'] = (name, _args, options) => within(options, (signal) => send(name, signal));
 * ```
 */
export function callDeadline(deadlineMs?: number): CallDeadline {
  const ms = checkedDeadline('deadlineMs', deadlineMs);
  return async (options, work) => {
    const { signal, patienceMs = 0 } = options ?? {};
    try {
      return await withDeadline({ ms: Math.max(ms, patienceMs), signal, what: 'The database' }, work);
    } catch (cause) {
      if (signal?.aborted !== true || cause !== signal.reason) throw cause;
      throw new MedzenError('store_unavailable', 'The call was canceled before the database had answered', { cause });
    }
  };
}
