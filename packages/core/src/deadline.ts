import { type ErrorCode, MedzenError } from './errors.ts';

/** Time limit of a call to something outside the process. */
export interface DeadlineOptions {
  /** Milliseconds, 1 to 2 147 483 647. */
  readonly ms: number;
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Names what was called, at the start of the error message: `The database`. */
  readonly what: string;
  /** The code of the error when it is late; `store_unavailable` when absent. Both codes are retryable. */
  readonly code?: Extract<ErrorCode, 'store_unavailable' | 'provider_unavailable'>;
}

/** The default deadline of a call to a store: 10 s. */
export const defaultDeadlineMs = 10_000;

/**
 * Runs a call that must not take longer than its deadline. `work` gets a signal that is aborted when the deadline passes or the
 * caller's signal is, with the error that the caller gets as its reason: it should stop what it began. Work that does not look at the
 * signal goes on unobserved; its late result or failure is dropped.
 *
 * A late call has an unknown outcome: what it was to write may be there, or may yet come. Retry it under the same ids.
 *
 * @param options - deadline, the caller's signal, and what the error says
 * @param work - the call; not begun when the caller's signal is aborted already
 * @returns what `work` gave
 * @throws MedzenError `store_unavailable`, or the chosen code, when the deadline passed; the signal's reason; what `work` threw
 * @example
 * ```ts
 * import { withDeadline } from '@medzen/core';
 * const answer = await withDeadline({ ms: 2000, what: 'The object store' }, (signal) =>
 *   fetch('https://objects.clinic.example/a', { signal }),
 * );
 * ```
 */
export async function withDeadline<T>(options: DeadlineOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { ms, signal: outer, what, code = 'store_unavailable' } = options;
  outer?.throwIfAborted();
  const controller = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    // The caller is answered first: what `work` throws because of the abort comes after it.
    reject(reason);
    controller.abort(reason);
  };
  const canceled = (): void => end(outer?.reason);
  const timer = setTimeout(() => end(new MedzenError(code, `${what} did not answer within ${ms} ms`)), ms);
  outer?.addEventListener('abort', canceled, { once: true });
  try {
    return await Promise.race([ended, work(controller.signal)]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', canceled);
  }
}

/**
 * Checks an option that is a deadline.
 *
 * @param option - its name, for the message
 * @param ms - what was given; {@link defaultDeadlineMs} when absent
 * @returns the milliseconds
 * @throws MedzenError `invalid_configuration`
 */
export function checkedDeadline(option: string, ms: number = defaultDeadlineMs): number {
  if (Number.isInteger(ms) && ms >= 1 && ms <= 2 ** 31 - 1) return ms;
  throw new MedzenError(
    'invalid_configuration',
    `${option} must be a whole number of milliseconds from 1 to 2147483647`,
  );
}
