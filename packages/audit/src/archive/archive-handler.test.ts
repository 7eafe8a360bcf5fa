import { expect, test } from 'vitest';
import { createArchiveHandler } from './archive-handler.ts';
import type { ArchiveResult } from './archiver.ts';

const key = 'a secret of the scheduler, and of nobody else';
const request = (authorization = `Bearer ${key}`): Request =>
  new Request('https://clinic.example/archive', { method: 'POST', headers: { Authorization: authorization } });

function archiverOf(ranges: number): { archive(): Promise<ArchiveResult> } {
  let left = ranges;
  return {
    archive: async () =>
      left-- > 0 ? { status: 'archived', first: 10 * left, end: 10 * left + 10 } : { status: 'idle' },
  };
}

test('archives until nothing is left, or as many ranges as a request may', async () => {
  const whole = await createArchiveHandler({ archiver: archiverOf(3), key })(request());
  expect([whole.status, await whole.json()]).toEqual([200, { ranges: 3, leaves: 30 }]);
  const part = await createArchiveHandler({ archiver: archiverOf(3), key, maxRanges: 2 })(request());
  expect(await part.json()).toEqual({ ranges: 2, leaves: 20 });
});

test('does nothing without the key, nor with one that could be guessed', async () => {
  const archiver = { archive: () => Promise.reject(new Error('It must not be asked')) };
  expect((await createArchiveHandler({ archiver, key })(request('Bearer another'))).status).toBe(401);
  expect(() => createArchiveHandler({ archiver, key: 'short' })).toThrow('32 characters');
  expect(() => createArchiveHandler({ archiver, key, maxRanges: 0 })).toThrow('1 to 1000');
});
