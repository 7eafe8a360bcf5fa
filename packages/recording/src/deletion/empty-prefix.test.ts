import { memoryObjects } from '@medzen/adapters-local';
import { systemClock, systemRandom } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { objectPrefix } from '../start.ts';
import { emptyPrefix, type RemovalNotes, refOf } from './empty-prefix.ts';

const waits: number[] = [];
const room = {
  random: systemRandom,
  clock: systemClock,
  sleep: async (ms: number) => void waits.push(ms),
};
/** Counts each version that was noted, once. */
function counting() {
  const noted = new Map<string, number>();
  const notes: RemovalNotes = {
    removing: async (versions) => {
      for (const version of versions) noted.set(refOf(version), version.size);
      return true;
    },
    kept: async (versions) => {
      for (const version of versions) noted.delete(refOf(version));
    },
  };
  const counts = () => ({ versions: noted.size, bytes: [...noted.values()].reduce((sum, size) => sum + size, 0) });
  return { notes, counts };
}
const body = new Uint8Array([1, 2, 3]);

describe('emptyPrefix', () => {
  it.each([
    '',
    '/',
    'clinic/',
    'clinic/2026/11/',
    'clinic/2026/11/id',
    'clinic/2026/11/id/media',
    '/2026/11/id/',
    'clinic/2026/11//',
  ])('refuses %j, which could reach further than one recording', async (prefix) => {
    await expect(emptyPrefix(room, memoryObjects(), prefix, counting().notes)).rejects.toMatchObject({
      code: 'invalid_input',
    });
  });

  it('removes what is under one recording and nothing beside it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.uuid(), { minLength: 2, maxLength: 5 }), fc.nat(3), async (ids, versions) => {
        const objects = memoryObjects();
        const prefixes = ids.map((id) => objectPrefix('clinic', '2026-11-21T15:00:00.000Z', id));
        for (const prefix of [
          ...prefixes,
          ...prefixes.map((one) => one.slice(0, -1)),
          ...prefixes.map((one) => `x${one}`),
        ])
          for (let i = 0; i <= versions; i++) await objects.put(`${prefix}media`, body, { contentType: 'video/mp4' });
        const [first = ''] = prefixes;
        const before = (await objects.listVersions('')).versions.length;
        const { notes, counts } = counting();
        expect(await emptyPrefix(room, objects, first, notes)).toMatchObject({ status: 'empty' });
        expect(counts()).toEqual({ versions: versions + 1, bytes: 3 * (versions + 1) });
        expect((await objects.listVersions('')).versions).toHaveLength(before - versions - 1);
        expect((await objects.listVersions(first)).versions).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it('proves an empty prefix by listing it, and counts nothing', async () => {
    const { notes, counts } = counting();
    const emptied = await emptyPrefix(room, memoryObjects(), 'clinic/2026/11/id/', notes);
    expect(emptied).toMatchObject({ status: 'empty' });
    expect(counts()).toEqual({ versions: 0, bytes: 0 });
  });

  it('waits longer each time the store asks for patience, each wait between half and whole, and gives up in the end', async () => {
    const objects = memoryObjects();
    await objects.put('clinic/2026/11/id/media', body, { contentType: 'video/mp4' });
    waits.length = 0;
    const busy = {
      ...objects,
      deleteVersions: async (versions: readonly { key: string; versionId: string }[]) => ({
        deleted: [],
        errors: versions.map((one) => ({ ...one, reason: 'transient' as const, code: 'SlowDown' })),
      }),
    };
    const { notes, counts } = counting();
    await expect(emptyPrefix(room, busy, 'clinic/2026/11/id/', notes)).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
    });
    expect(counts()).toEqual({ versions: 0, bytes: 0 });
    expect(waits).toHaveLength(5);
    waits.forEach((ms, index) => {
      const whole = 200 * 2 ** (index + 1);
      expect(ms >= whole / 2 && ms <= whole).toBe(true);
    });
  });
});
