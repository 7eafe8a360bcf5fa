import { memoryStores } from '@medzen/adapters-local';
import {
  type AuditEventDraft,
  createIds,
  type LogLeaf,
  type LogStore,
  sealEvent,
  systemClock,
  systemRandom,
} from '@medzen/core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { LogFinding } from './log-finding.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { verifyLog } from './verify-log.ts';

const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });
const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  source: {},
};

/** Two full tiles, one partial, and a tile over them. */
const size = 600;
let sound: LogStore;
let leaves: readonly LogLeaf[];
beforeAll(async () => {
  const { audit, log } = memoryStores();
  const sealing = { clock: systemClock, random: systemRandom, ids: createIds(systemClock, systemRandom) };
  await audit.append(
    { tenant: 'default' },
    Array.from({ length: size }, () => sealEvent(draft, sealing)),
  );
  await createSequencer({ memory: 'unguarded', store: log, signer }).tick();
  sound = log;
  leaves = await log.readLeaves(0, size);
});

async function findings(changes: Partial<LogStore>): Promise<readonly LogFinding[]> {
  const verdict = await verifyLog({
    store: { ...sound, ...changes },
    verifierKeys: [signer.verifierKey],
    maxFindings: size,
  });
  return verdict.ok ? [] : verdict.findings;
}

/** The log with other leaves in the place of its own. */
function withLeaves(stored: readonly LogLeaf[]): Partial<LogStore> {
  return { readLeaves: async (from, limit) => stored.filter(({ index }) => index >= from).slice(0, limit) };
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array =>
  bytes.map((byte, at) => (at === (bit >> 3) % bytes.length ? byte ^ (1 << (bit & 7)) : byte));

const place = fc.nat(size - 1);

describe('whatever is done to stored events', () => {
  it('a bit that was changed names its event, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(place, fc.nat(4095), async (index, bit) => {
        const stored = leaves.map((leaf) =>
          leaf.index === index && leaf.body ? { ...leaf, body: flipped(leaf.body, bit) } : leaf,
        );
        expect(await findings(withLeaves(stored))).toEqual([
          { kind: 'event_altered', index, eventId: leaves[index]?.eventId },
        ]);
      }),
      { numRuns: 60 },
    );
  });

  it('events that were deleted are named as missing, each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(place, { minLength: 1, maxLength: 5 }), async (gone) => {
        const stored = leaves.filter(({ index }) => !gone.includes(index));
        const missing = (await findings(withLeaves(stored))).flatMap((finding) =>
          finding.kind === 'event_missing' ? Array.from({ length: finding.count }, (_, i) => finding.index + i) : [],
        );
        expect(missing).toEqual(gone.toSorted((a, b) => a - b));
      }),
      { numRuns: 40 },
    );
  });

  it('two that were swapped are both named', async () => {
    await fc.assert(
      fc.asyncProperty(place, place, async (one, two) => {
        fc.pre(one !== two);
        const at = (index: number): number => (index === one ? two : index === two ? one : index);
        const stored = leaves.map(({ index }) => ({ ...(leaves[at(index)] ?? { eventId: '' }), index }));
        const altered = (await findings(withLeaves(stored))).flatMap((finding) =>
          finding.kind === 'event_altered' ? [finding.index] : [],
        );
        expect(altered).toEqual([one, two].sort((a, b) => a - b));
      }),
      { numRuns: 40 },
    );
  });

  it('one that was put in between, moving the later ones, is named with all of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: size - 8, max: size - 1 }), async (index) => {
        const inserted = { ...(leaves[0] ?? { eventId: '' }), index };
        const moved = leaves.slice(index, -1).map((leaf) => ({ ...leaf, index: leaf.index + 1 }));
        const altered = (await findings(withLeaves([...leaves.slice(0, index), inserted, ...moved]))).flatMap(
          (finding) => (finding.kind === 'event_altered' ? [finding.index] : []),
        );
        expect(altered).toEqual(Array.from({ length: size - index }, (_, i) => index + i));
      }),
      { numRuns: 8 },
    );
  });

  it('a log that was cut off at any place misses the rest', async () => {
    await fc.assert(
      fc.asyncProperty(place, async (length) => {
        const found = await findings(withLeaves(leaves.slice(0, length)));
        expect(found).toEqual([{ kind: 'event_missing', index: length, count: size - length }]);
      }),
      { numRuns: 30 },
    );
  });
});

describe('whatever is done to stored tiles', () => {
  const tile = fc.constantFrom([0, 0], [0, 1], [0, 2], [1, 0]);

  it('a tile that was changed by a bit, cut, emptied, removed or swapped is named, and no event is blamed', async () => {
    const damage = fc.constantFrom('flip', 'cut', 'empty', 'remove', 'swap');
    await fc.assert(
      fc.asyncProperty(tile, damage, fc.nat(65_535), async ([level = 0, index = 0], how, bit) => {
        const readTile: LogStore['readTile'] = async (askedLevel, askedIndex) => {
          const stored = await sound.readTile(askedLevel, askedIndex);
          if (stored === undefined || askedLevel !== level || askedIndex !== index) return stored;
          if (how === 'remove') return undefined;
          if (how === 'flip') return { ...stored, hashes: flipped(stored.hashes, bit) };
          if (how === 'swap') return sound.readTile(0, index === 2 ? 0 : 2);
          return { ...stored, hashes: stored.hashes.slice(0, how === 'cut' ? bit % stored.hashes.length : 0) };
        };
        const found = await findings({ readTile });
        expect(found.length).toBeGreaterThan(0);
        for (const finding of found) expect(finding).toMatchObject({ kind: 'tile_altered', level, index });
      }),
      { numRuns: 80 },
    );
  });
});
