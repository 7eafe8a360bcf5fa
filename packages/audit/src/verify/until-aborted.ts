/**
 * Waits for something that may never come, until the signal ends the wait. What is waited for goes on unobserved.
 *
 * @returns what the promise gives
 * @throws the signal's reason, at once when it is aborted; what the promise rejects with
 */
export async function untilAborted<T>(signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
  if (signal === undefined) return promise;
  promise.catch(() => {}); // nobody is told any more, once the signal has ended the wait
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * The same object, whose calls end with the signal although what it calls never answers. What a call began goes on unobserved.
 *
 * @param target - an object of functions that return promises
 */
export function endedBy<T extends object>(signal: AbortSignal | undefined, target: T): T {
  if (signal === undefined) return target;
  return new Proxy(target, {
    get: (whole, name) => {
      const method: unknown = Reflect.get(whole, name);
      if (typeof method !== 'function') return method;
      return (...args: readonly unknown[]): unknown => {
        signal.throwIfAborted();
        const answer: unknown = method.apply(whole, args);
        return answer instanceof Promise ? untilAborted(signal, answer) : answer;
      };
    },
  });
}

/** The same pages, one after the other, until the signal: a page that never comes ends them with the signal's reason. */
export async function* pagesUntil<T>(signal: AbortSignal | undefined, pages: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = pages[Symbol.asyncIterator]();
  let whole = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await untilAborted(signal, iterator.next());
      whole = done === true;
      if (whole) return;
      yield value;
    }
  } finally {
    if (!whole) iterator.return?.().catch(() => {}); // a source that hangs need not be waited for
  }
}
