import type { Scheduler } from './scheduler.ts';

/**
 * Puts every timer of this process on the clock of a simulated world: `setTimeout`, `setInterval` and `AbortSignal.timeout`. To be called in a
 * process that does nothing else, before a world begins.
 *
 * @param fire - false: no timer ever fires
 */
export function useTimersOf(scheduler: Scheduler, fire: boolean): void {
  const handles = new WeakMap<object, () => void>();
  const timeout = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): object => {
    const handle = { ref: () => handle, unref: () => handle, hasRef: () => false, [Symbol.toPrimitive]: () => 0 };
    handles.set(handle, fire ? scheduler.after(ms, () => callback(...args)) : () => undefined);
    return handle;
  };
  const interval = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): object => {
    const handle = { ref: () => handle, unref: () => handle, hasRef: () => false, [Symbol.toPrimitive]: () => 0 };
    // A process that was killed leaves its intervals behind; no work that is alive lasts longer than a day.
    const end = scheduler.now() + 86_400_000;
    const again = (): void => {
      if (scheduler.now() > end) return;
      handles.set(handle, scheduler.after(ms, again));
      callback(...args);
    };
    handles.set(handle, scheduler.after(ms, again));
    return handle;
  };
  const clear = (handle: unknown): void => {
    if (typeof handle === 'object' && handle !== null) handles.get(handle)?.();
  };
  Object.assign(globalThis, {
    setTimeout: timeout,
    clearTimeout: clear,
    setInterval: interval,
    clearInterval: clear,
  });
  AbortSignal.timeout = (ms) => {
    const controller = new AbortController();
    if (fire) scheduler.after(ms, () => controller.abort(new DOMException('The operation timed out', 'TimeoutError')));
    return controller.signal;
  };
}
