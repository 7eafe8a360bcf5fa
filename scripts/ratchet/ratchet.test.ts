import { describe, expect, test } from 'vitest';
import { crowdedFolders, maxFiles } from './crowded-folders.ts';
import { compareRatchet, type Ratchet } from './ratchet.ts';

const state = (untestedOptions: readonly string[], crowdedFolders: Readonly<Record<string, number>> = {}): Ratchet => ({
  untestedOptions,
  crowdedFolders,
});

describe('the ratchet', () => {
  test('lets what stood stand, and nothing new', () => {
    expect(compareRatchet(state(['a', 'b'], { x: 25 }), state(['a', 'b'], { x: 25 }))).toEqual([]);
    expect(compareRatchet(state(['a', 'b']), state(['a']))).toEqual([expect.stringMatching(/^b: no test sets/)]);
    expect(compareRatchet(state([], { x: 26 }), state([], { x: 25 }))).toEqual([expect.stringMatching(/^x: holds 26/)]);
    expect(compareRatchet(state([], { y: 21 }), state([]))).toEqual([expect.stringMatching(/^y: holds 21/)]);
  });

  test('wants an entry taken out once it is in order', () => {
    const complaints = compareRatchet(state([], { x: 24 }), state(['a'], { x: 25, y: 30 }));
    expect(complaints.map((one) => one.slice(0, 2))).toEqual(['a:', 'x:', 'y:']);
  });
});

describe('crowdedFolders', () => {
  test('counts source, not tests, and not what lies in folders below', () => {
    const files = (folder: string, count: number, end = '.ts'): readonly string[] =>
      Array.from({ length: count }, (_, at) => `${folder}/f${at}${end}`);
    expect(crowdedFolders(files('packages/a/src', maxFiles))).toEqual({});
    expect(crowdedFolders(files('packages/a/src', maxFiles + 1))).toEqual({ 'packages/a/src': maxFiles + 1 });
    expect(crowdedFolders([...files('packages/a/src', 15), ...files('packages/a/src/b', 15)])).toEqual({});
    expect(crowdedFolders(files('packages/a/src', 40, '.test.ts'))).toEqual({});
  });
});
