import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { checkedDeadline, withDeadline } from './deadline.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const what = 'The store';
const never = (): Promise<never> => new Promise(() => undefined);

test('an answer in time is handed on, and no timer stays', async () => {
  await expect(withDeadline({ ms: 10, what }, async () => 'answer')).resolves.toBe('answer');
  expect(vi.getTimerCount()).toBe(0);
});

test('a call that never answers is store_unavailable after its deadline, and is told to stop', async () => {
  let told: AbortSignal | undefined;
  const call = withDeadline({ ms: 10_000, what }, (signal) => {
    told = signal;
    return never();
  });
  const answer = expect(call).rejects.toMatchObject({
    code: 'store_unavailable',
    retryable: true,
    message: 'The store did not answer within 10000 ms',
  });
  await vi.advanceTimersByTimeAsync(9_999);
  expect(told?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await answer;
  expect(told?.aborted).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test('the code can be the one of a provider', async () => {
  const call = withDeadline({ ms: 5, what: 'The provider', code: 'provider_unavailable' }, never);
  const answer = expect(call).rejects.toMatchObject({ code: 'provider_unavailable', retryable: true });
  await vi.advanceTimersByTimeAsync(5);
  await answer;
});

test("the caller's signal ends the wait with its reason, and leaves no listener", async () => {
  const controller = new AbortController();
  const removed = vi.spyOn(controller.signal, 'removeEventListener');
  let told: AbortSignal | undefined;
  const call = withDeadline({ ms: 10, what, signal: controller.signal }, (signal) => {
    told = signal;
    return never();
  });
  const reason = new Error('the client went away');
  controller.abort(reason);
  await expect(call).rejects.toBe(reason);
  expect(told?.reason).toBe(reason);
  expect(removed).toHaveBeenCalledWith('abort', expect.any(Function));
  expect(vi.getTimerCount()).toBe(0);
});

test('nothing is begun when the signal is aborted already', async () => {
  const work = vi.fn(never);
  await expect(withDeadline({ ms: 10, what, signal: AbortSignal.abort('gone') }, work)).rejects.toBe('gone');
  expect(work).not.toHaveBeenCalled();
});

test('what the work throws because it was told to stop does not replace the error, and is no unhandled rejection', async () => {
  const call = withDeadline(
    { ms: 10, what },
    (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('late')))),
  );
  const answer = expect(call).rejects.toMatchObject({ code: 'store_unavailable' });
  await vi.advanceTimersByTimeAsync(10);
  await answer;
});

test('work that throws before it returns a promise rejects the call, and leaves no timer', async () => {
  const call = withDeadline({ ms: 10, what }, () => {
    throw new RangeError('at once');
  });
  await expect(call).rejects.toThrow('at once');
  expect(vi.getTimerCount()).toBe(0);
});

test.each([0, -1, 1.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY])('%s is no deadline', (ms) => {
  expect(() => checkedDeadline('deadlineMs', ms)).toThrow(/^deadlineMs must be a whole number/);
});
