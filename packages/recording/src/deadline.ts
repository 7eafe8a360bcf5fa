import { MedzenError } from '@medzen/core';

/** Time limits of calls to services outside the process, milliseconds, 1–3 600 000. */
export interface Timeouts {
  /** One call to a provider, its own retries included, or to the notifier; 30 000 when absent. */
  readonly providerMs?: number;
  /** One call to the object store that moves no media; 30 000 when absent. */
  readonly objectsMs?: number;
  /**
   * Time without progress after which a transfer fails; 60 000 when absent. The total time of a transfer has no bound.
   */
  readonly stallMs?: number;
}

/** Time limits of `createRecordings` when it is given none. */
export const defaultTimeouts: Required<Timeouts> = { providerMs: 30_000, objectsMs: 30_000, stallMs: 60_000 };

/**
 * Gives a call to something outside the process a deadline. The call is told by its signal; one that does not listen is left behind, and
 * what it comes to later changes nothing.
 *
 * @param limit.ms - milliseconds
 * @param limit.code - of the error past the deadline, or after an abort
 * @param limit.signal - ends it earlier
 * @throws MedzenError `limit.code`, retryable; or what the call throws
 */
export async function withDeadline<T>(
  limit: {
    readonly ms: number;
    readonly code: 'provider_unavailable' | 'store_unavailable';
    readonly signal?: AbortSignal | undefined;
  },
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { ms, code, signal: outer } = limit;
  const timer = new AbortController();
  const signal = outer === undefined ? timer.signal : AbortSignal.any([timer.signal, outer]);
  let stop: (() => void) | undefined;
  const ended = new Promise<never>((_, reject) => {
    stop = () => reject(new MedzenError(code, outer?.aborted ? 'The call was aborted' : `No answer within ${ms} ms`));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  const alarm = setTimeout(() => timer.abort(), ms);
  try {
    // The call begins also when the signal is aborted already: it may have to put something away.
    const begin = async (): Promise<T> => call(signal); // a call that throws at once leaves nobody waiting for `ended` alone
    return await Promise.race([begin(), ended]);
  } finally {
    clearTimeout(alarm);
    if (stop !== undefined) signal.removeEventListener('abort', stop);
  }
}
