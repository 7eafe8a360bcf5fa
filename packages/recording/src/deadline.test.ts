import { expect, test } from 'vitest';
import { withDeadline } from './deadline.ts';

test('a call that throws at once under an aborted signal rejects once, and leaves no rejection that nobody hears of', async () => {
  const unheard: unknown[] = [];
  const listen = (reason: unknown): void => void unheard.push(reason);
  process.on('unhandledRejection', listen);
  const limit = { ms: 60_000, code: 'provider_unavailable', signal: AbortSignal.abort() } as const;
  const call = withDeadline(limit, () => {
    throw new Error('not even a promise');
  });
  await expect(call).rejects.toThrow();
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  process.off('unhandledRejection', listen);
  expect(unheard).toEqual([]);
});
