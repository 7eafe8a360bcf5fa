import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex } from './hex.ts';
import { createIds, isUuid, uuidv7 } from './ids.ts';

describe('uuidv7', () => {
  test('lays out the example of RFC 9562, Appendix A.6', () => {
    const clock = fakeClock('2022-02-22T19:22:22.000Z');
    const random = { bytes: () => fromHex('0cc318c4dc0c0c07398f') };
    expect(uuidv7(clock, random)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  });

  test('holds time, version and variant, whatever the random bytes are', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 48 - 1 }),
        fc.uint8Array({ minLength: 10, maxLength: 10 }),
        (ms, bytes) => {
          const id = uuidv7({ now: () => new Date(ms) }, { bytes: () => bytes.slice() });
          expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
          expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(ms);
          expect(isUuid(id)).toBe(true);
        },
      ),
    );
  });

  test('sorts as text by time', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), fc.nat({ max: 2 ** 40 }), (a, b) => {
        const [first, second] = [a, b].map((ms) => uuidv7({ now: () => new Date(ms) }));
        if (a !== b) expect((first ?? '') < (second ?? '')).toBe(a < b);
      }),
    );
  });

  test.each([-1, 2 ** 48, Number.NaN])('refuses a clock at %s ms', (ms) => {
    const clock = { now: () => new Date(ms) };
    expect(() => uuidv7(clock)).toThrowError(expect.objectContaining({ code: 'invalid_input' }));
  });

  test('makes different ids of the machine’s own randomness', () => {
    const ids = createIds();
    expect(new Set(Array.from({ length: 1000 }, () => ids.uuid())).size).toBe(1000);
  });
});

describe('isUuid', () => {
  test.each([
    '',
    '017f22e279b07cc398c4dc0c0c07398f',
    '017F22E2-79B0-7CC3-98C4-DC0C0C07398F',
    '{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}',
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n',
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398g',
  ])('refuses %j', (text) => {
    expect(isUuid(text)).toBe(false);
  });
});

describe('fakeIds', () => {
  test('always grow, also while the clock stands still or goes back', () => {
    const clock = fakeClock();
    const ids = fakeIds(clock, fakeRandom(3));
    const made: string[] = [];
    for (let i = 0; i < 10_000; i++) {
      if (i % 1000 === 0) clock.advance(i % 2000 === 0 ? 5 : -3);
      made.push(ids.uuid());
    }
    expect(made.toSorted()).toEqual(made);
    expect(new Set(made).size).toBe(made.length);
    expect(made.every(isUuid)).toBe(true);
  });
});
