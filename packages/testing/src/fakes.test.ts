import { isMedzenError, openEvent } from '@medzen/core';
import { expect, test } from 'vitest';
import { fakeClock } from './fake-clock.ts';
import { fakeNumbers, fakeRandom } from './fake-random.ts';
import { faulty } from './faulty.ts';
import { createLeakyBucket } from './leaky-bucket.ts';
import { modelRoot } from './merkle-model.ts';
import { createSamples } from './samples.ts';

test('a fake clock stands still until it is moved, and hands out dates of its own', () => {
  const clock = fakeClock('2026-01-01T00:00:00Z');
  clock.now().setFullYear(1999);
  expect(clock.now().toISOString()).toBe('2026-01-01T00:00:00.000Z');
  clock.advance(1500);
  expect(clock.now().toISOString()).toBe('2026-01-01T00:00:01.500Z');
  clock.set(new Date(0));
  expect(clock.now().getTime()).toBe(0);
  expect(() => clock.set('soon')).toThrowError(RangeError);
  expect(() => fakeClock('soon')).toThrowError(RangeError);
});

test('fake randomness repeats itself, and differs by its seed', () => {
  expect(fakeRandom(5).bytes(64)).toEqual(fakeRandom(5).bytes(64));
  expect(fakeRandom(5).bytes(64)).not.toEqual(fakeRandom(6).bytes(64));
  expect(new Set(fakeRandom(5).bytes(4096)).size).toBe(256);
  const random = fakeNumbers(1);
  for (let i = 0; i < 1000; i++) {
    const n = random();
    expect(n >= 0 && n < 1).toBe(true);
  }
});

test('samples are of their tenant and all different', () => {
  const samples = createSamples({ scope: { tenant: 'clinic' } });
  const [a, b] = [samples.event({ patient: 'p' }), samples.event()];
  expect(openEvent(a.body)).toMatchObject({ tenant: 'clinic', patient: 'p', id: a.id });
  expect(a.id < b.id).toBe(true);
  expect(samples.newRecording().sessionId).not.toBe(samples.newRecording().sessionId);
});

test('a faulty store loses the calls that were planned, before or after their effect', async () => {
  const done: string[] = [];
  const store = {
    name: 'store',
    write: async (text: string) => {
      done.push(text);
      return text.length;
    },
    read: async () => done.length,
  };
  const broken = faulty(store, { write: (call) => (call === 1 ? 'before' : call === 2 ? 'after' : undefined) });
  const lost = expect.objectContaining({ code: 'store_unavailable', retryable: true });
  await expect(broken.write('first')).rejects.toEqual(lost);
  expect(done).toEqual([]);
  await expect(broken.write('second')).rejects.toEqual(lost);
  expect(done).toEqual(['second']);
  await expect(broken.write('third')).resolves.toBe(5);
  await expect(broken.read()).resolves.toBe(2);
  expect(broken.name).toBe('store');
  const down = faulty(store, { read: 'before' });
  expect(await down.read().catch(isMedzenError)).toBe(true);
});

test('the model of the tree gives the roots of RFC 6962 for known leaves', () => {
  expect(Buffer.from(modelRoot([])).toString('hex')).toBe(
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
  const leaf = Buffer.from('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d', 'hex');
  expect(modelRoot([leaf])).toEqual(leaf);
  // Certificate Transparency's own test data: the leaves "" and 0x00.
  const second = Buffer.from('96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7', 'hex');
  expect(Buffer.from(modelRoot([leaf, second])).toString('hex')).toBe(
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  );
});

test('the model of a limit fills and leaks as a bucket does', () => {
  const bucket = createLeakyBucket();
  const request = { key: 'k', rate: 3, periodMs: 1000, burst: 2, cost: 1 };
  bucket.spend(request, 0);
  bucket.spend(request, 0);
  expect(bucket.peek(request, 0)).toEqual({ allowed: false, remaining: 0, retryAfterMs: 334, resetMs: 667 });
  expect(bucket.peek(request, 333).allowed).toBe(false);
  expect(bucket.peek(request, 334).allowed).toBe(true);
  expect(bucket.peek(request, 667)).toEqual({ allowed: true, remaining: 2, retryAfterMs: 0, resetMs: 0 });
});
