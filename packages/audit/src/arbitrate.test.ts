import { sha256, toHex } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agrees, arbitrate, type TileRow } from './arbitrate.ts';
import { createTreeHasher } from './tree-hasher.ts';

const hasher = createTreeHasher();
const hashAt = (i: number): Uint8Array => sha256(Uint8Array.of(i));

/** A row whose two sides are sound, then damaged at some positions. */
function rowOf(
  width: number,
  events: readonly number[],
  tiles: readonly number[],
  missing: readonly number[] = [],
): TileRow {
  const [computed, stored] = [new Uint8Array(8192), new Uint8Array(width * 32)];
  const known = new Uint8Array(256).fill(1, 0, width);
  for (let i = 0; i < width; i++) {
    computed.set(hashAt(events.includes(i) ? i + 100 : i), i * 32);
    stored.set(hashAt(tiles.includes(i) ? i + 200 : i), i * 32);
  }
  for (const i of missing) known[i] = 0;
  return { width, computed, known, stored };
}

const sound = (width: number): string => toHex(hasher.fold(rowOf(width, [], []).computed, width));
const gives = (width: number) => (rows: readonly Uint8Array[]) =>
  toHex(hasher.fold(rows[0] ?? new Uint8Array(), width)) === sound(width);

describe('agrees', () => {
  it('is true only when every hash is known and equal', () => {
    expect(agrees(rowOf(40, [], []))).toBe(true);
    expect(agrees(rowOf(40, [39], []))).toBe(false);
    expect(agrees(rowOf(40, [], [0]))).toBe(false);
    expect(agrees(rowOf(40, [], [], [7]))).toBe(false);
    expect(agrees({ ...rowOf(40, [], []), stored: undefined })).toBe(false);
    expect(agrees({ ...rowOf(40, [], []), stored: new Uint8Array(39 * 32) })).toBe(false);
  });
});

describe('arbitrate', () => {
  it('proves of up to eight differences which side was altered', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.uniqueArray(fc.tuple(fc.nat(99), fc.boolean()), { maxLength: 8, selector: ([place]) => place }),
        (width, damage) => {
          const within = damage.filter(([place]) => place < width);
          const events = within.filter(([, event]) => event).map(([place]) => place);
          const tiles = within.filter(([, event]) => !event).map(([place]) => place);
          const { rows, differences, proved } = arbitrate([rowOf(width, events, tiles)], gives(width));
          expect(proved).toBe(true);
          expect(toHex(hasher.fold(rows?.[0] ?? new Uint8Array(), width))).toBe(sound(width));
          const trusting = (side: string): number[] =>
            differences.filter(({ trusted }) => trusted === side).map(({ position }) => position);
          const ascending = (places: number[]): number[] => places.sort((a, b) => a - b);
          expect(trusting('stored')).toEqual(ascending(events));
          expect(trusting('computed')).toEqual(ascending(tiles));
        },
      ),
    );
  });

  it('proves of many differences on one side which side it was', () => {
    const many = Array.from({ length: 50 }, (_, i) => 2 * i);
    expect(arbitrate([rowOf(100, many, [])], gives(100))).toMatchObject({ proved: true });
    expect(arbitrate([rowOf(100, [], many)], gives(100))).toMatchObject({ proved: true });
    const mixed = arbitrate([rowOf(100, many, [1, 3])], gives(100));
    expect(mixed.proved).toBe(false);
    expect(mixed.differences.every(({ trusted }) => trusted === 'stored')).toBe(true);
  });

  it('takes what is stored where nothing stands over it, or nothing fits', () => {
    for (const holds of [undefined, () => false]) {
      const { proved, rows, differences } = arbitrate([rowOf(9, [4], [])], holds);
      expect({ proved, differences }).toEqual({
        proved: false,
        differences: [{ row: 0, position: 4, trusted: 'stored' }],
      });
      expect(toHex(hasher.fold(rows?.[0] ?? new Uint8Array(), 9))).toBe(sound(9));
    }
  });

  it('fills what is missing on one side from the other, and gives up where it is missing on both', () => {
    expect(arbitrate([rowOf(9, [], [], [4])], gives(9))).toMatchObject({
      proved: true,
      differences: [{ position: 4, trusted: 'stored' }],
    });
    const short = { ...rowOf(9, [], []), stored: rowOf(4, [], []).stored };
    expect(arbitrate([short], gives(9))).toMatchObject({ proved: true });
    const lost = arbitrate([{ ...short, known: rowOf(9, [], [], [8]).known }], () => true);
    expect(lost).toMatchObject({ rows: undefined, proved: false });
    expect(lost.differences.at(-1)).toEqual({ row: 0, position: 8, trusted: 'neither' });
  });
});
