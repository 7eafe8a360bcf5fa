import { memoryObjects, memoryStores } from '@medzen/adapters-local';
import {
  type AuditEventDraft,
  createIds,
  type LogStore,
  type MedzenError,
  sealEvent,
  systemClock,
  systemRandom,
  toHex,
} from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signCheckpoint } from './checkpoint.ts';
import { formatEntryBundle, parseEntryBundle } from './entry-bundle.ts';
import { objectTiles } from './object-tiles.ts';
import { publishLog } from './publish-log.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { tileLog } from './tile-log.ts';
import { tilePath } from './tile-path.ts';
import type { TileTarget } from './tile-storage.ts';
import { createTreeEdge } from './tree-edge.ts';
import { createTreeHasher } from './tree-hasher.ts';
import { verifyLog } from './verify-log.ts';

const origin = 'example.org/audit';
const signer = createSigner({ origin, privateKey: new Uint8Array(32).fill(7) });
const verifierKeys = [signer.verifierKey];
const clock = systemClock;
const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  source: {},
};

/** Files in memory, with a hand in them. */
function folder() {
  const files = new Map<string, Uint8Array>();
  const writes: string[] = [];
  const target: TileTarget = {
    read: async (path) => files.get(path),
    write: async (path, bytes, { immutable }) => {
      const present = files.get(path);
      if (immutable && present !== undefined && toHex(present) !== toHex(bytes)) throw new Error(`changed: ${path}`);
      writes.push(path);
      files.set(path, bytes.slice());
    },
  };
  return { files, target, writes };
}

function growing() {
  const { audit, log } = memoryStores({ clock });
  const sealing = { clock, random: systemRandom, ids: createIds(clock, systemRandom) };
  const sequencer = createSequencer({ memory: 'unguarded', store: log, signer, batchSize: 10_000 });
  return {
    log,
    grow: async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 1000)
        await audit.append(
          { tenant: 'default' },
          Array.from({ length: Math.min(left, 1000) }, () => sealEvent(draft, sealing)),
        );
      await sequencer.tick();
    },
  };
}

/** A log of a size, of which only the tree is there. */
async function logOfSize(size: number): Promise<LogStore> {
  const edge = createTreeEdge(createTreeHasher(), 0, []);
  for (let i = 0; i < size; i++) edge.append(Uint8Array.of(i & 255, i >> 8));
  const tiles = new Map(edge.changed().map((tile) => [`${tile.level}/${tile.index}`, tile]));
  const root = edge.root();
  const checkpoint = await signCheckpoint({ origin, size, root }, signer);
  return {
    ...memoryStores().log,
    head: async () => ({ size, root, checkpoint }),
    readTile: async (level, index) => tiles.get(`${level}/${index}`),
  };
}

const verified = (target: TileTarget, entries: 'present' | 'absent') =>
  verifyLog({ store: tileLog(target, { entries }), verifierKeys });

describe('a published log', () => {
  it('lies under the paths that C2SP tlog-tiles names', async () => {
    expect(tilePath(0, 0)).toBe('tile/0/000');
    expect(tilePath(1, 1234067)).toBe('tile/1/x001/x234/067');
    expect(tilePath('entries', 273, 112)).toBe('tile/entries/273.p/112');
    // The specification's own example: a tree of 70 000.
    const { target, files } = folder();
    await publishLog({ store: await logOfSize(70_000), target });
    const paths = [...files.keys()].sort();
    expect(paths.filter((path) => /^tile\/0\/\d{3}$/.test(path))).toHaveLength(273);
    expect(paths.filter((path) => !/^tile\/0\/\d{3}$/.test(path))).toEqual([
      'checkpoint',
      'tile/0/273.p/112',
      'tile/1/000',
      'tile/1/001.p/17',
      'tile/2/000.p/1',
    ]);
    expect(await verified(target, 'absent')).toMatchObject({ ok: true, size: 70_000, purged: 70_000 });
  });

  it('grows by what is new only, and is verified at every size, with its entries or without', async () => {
    const { log, grow } = growing();
    const { target, writes } = folder();
    let size = 0;
    for (const count of [1, 254, 1, 1, 255, 600]) {
      await grow(count);
      writes.length = 0;
      size += count;
      expect(await publishLog({ store: log, target, entries: true })).toMatchObject({ from: size - count, size });
      expect(writes.at(-1)).toBe('checkpoint');
      expect(writes.filter((path) => path.startsWith('tile/0/')).length).toBeLessThanOrEqual(count / 256 + 2);
      expect(await verified(target, 'present')).toMatchObject({ ok: true, size, purged: 0 });
      expect(await verified(target, 'absent')).toMatchObject({ ok: true, size, purged: size });
    }
    expect(await publishLog({ store: log, target, entries: true })).toEqual({ from: size, size, files: 0, folder: '' });
  });

  it.each([
    ['as large as before', 0],
    ['grown by a part of a bundle', 7],
    ['grown by more than a bundle', 300],
    ['whose bundles were all full', 1024 - 700],
  ])('%s gets its older entries once they are wanted, and once only', async (_, more) => {
    const { log, grow } = growing();
    const { target, writes } = folder();
    await grow(600);
    await publishLog({ store: log, target, entries: true });
    await grow(100);
    await publishLog({ store: log, target });
    await grow(more);
    await publishLog({ store: log, target });
    await publishLog({ store: log, target, entries: true });
    expect(await verified(target, 'present')).toMatchObject({ ok: true, size: 700 + more, purged: 0 });
    writes.length = 0;
    expect(await publishLog({ store: log, target, entries: true })).toMatchObject({ files: 0 });
    await grow(1);
    await publishLog({ store: log, target, entries: true });
    expect(writes.filter((path) => path.startsWith('tile/entries/'))).toHaveLength(1);
    expect(await verified(target, 'present')).toMatchObject({ ok: true, size: 701 + more, purged: 0 });
  });

  it('gets its older entries however often the publisher dies over them, and none is written twice', async () => {
    const { log, grow } = growing();
    const { target, writes } = folder();
    await grow(2000);
    await publishLog({ store: log, target });
    await grow(300);
    writes.length = 0;
    let deaths = 0;
    for (let left = 1; ; left = 1) {
      const dying: TileTarget = {
        ...target,
        write: async (...args) => {
          if (args[0].startsWith('tile/entries/') && --left < 0) throw new Error('killed');
          return target.write(...args);
        },
      };
      const done = await publishLog({ store: log, target: dying, entries: true }).then(
        () => true,
        () => false,
      );
      if (done) break;
      expect(await verified(target, 'absent')).toMatchObject({ ok: true, size: deaths < 4 ? 2000 : 2300 });
      if (++deaths === 4) await publishLog({ store: log, target }); // by somebody who leaves them out
      if (deaths > 20) throw new Error('It never ends');
    }
    const bundles = writes.filter((path) => path.startsWith('tile/entries/'));
    expect(bundles).toHaveLength(Math.ceil(2300 / 256));
    expect(await verified(target, 'present')).toMatchObject({ ok: true, size: 2300, purged: 0 });
  });

  it('goes without the bundles of purged events, whose bytes only the archive has', async () => {
    const { log, grow } = growing();
    const { target, files } = folder();
    await grow(600);
    const purging: LogStore = {
      ...log,
      readLeaves: async (...args) =>
        (await log.readLeaves(...args)).map(({ index, eventId, body }) =>
          index < 300 ? { index, eventId, purged: true as const } : { index, eventId, ...(body && { body }) },
        ),
    };
    await publishLog({ store: purging, target, entries: true });
    expect([...files.keys()].filter((path) => path.startsWith('tile/entries/'))).toEqual(['tile/entries/002.p/88']);
  });

  it('shows no checkpoint before its tiles, wherever the publisher dies, and is finished by the next one', async () => {
    const { log, grow } = growing();
    await grow(600);
    const { files, target, writes } = folder();
    await publishLog({ store: log, target, entries: true });
    await grow(700);
    const steps = 12;
    for (let death = 1; death < steps; death++) {
      const copy = folder();
      for (const [path, bytes] of files) copy.files.set(path, bytes);
      let left = death;
      const dying: TileTarget = {
        ...copy.target,
        write: async (...args) => {
          if (--left === 0) throw new Error('killed');
          return copy.target.write(...args);
        },
      };
      await publishLog({ store: log, target: dying, entries: true }).catch(() => undefined);
      expect((await verified(copy.target, 'present')).ok).toBe(true);
      await publishLog({ store: log, target: copy.target, entries: true });
      expect(await verified(copy.target, 'present')).toMatchObject({ ok: true, size: 1300 });
    }
    expect(writes.length).toBeGreaterThan(0);
  });

  it('in an object store is written once: what is there already must be the same', async () => {
    const objects = memoryObjects({ clock });
    const target = objectTiles(objects, 'audit-log/');
    const { log, grow } = growing();
    await grow(300);
    await publishLog({ store: log, target, entries: true });
    expect(await verified(target, 'present')).toMatchObject({ ok: true, size: 300 });
    const other = growing();
    await other.grow(400);
    await expect(publishLog({ store: other.log, target, entries: true })).rejects.toMatchObject({
      code: 'checkpoint_inconsistent',
    });
    const versions = await objects.listVersions('audit-log/');
    expect(versions.versions.filter(({ key }) => key === 'audit-log/tile/0/000')).toHaveLength(1);
  });

  it.each(['head', 'checkpoint', 'tile'] as const)(
    'of two publishers, takes no harm from the one that was overtaken after its first %s',
    async (after) => {
      const { log, grow } = growing();
      await grow(300);
      const { target } = folder();
      await publishLog({ store: log, target });
      await grow(100);
      let overtaken = false;
      const then = async <T>(step: string, result: T): Promise<T> => {
        if (step === after && !overtaken) {
          overtaken = true;
          await grow(300);
          await publishLog({ store: log, target });
        }
        return result;
      };
      const slow: TileTarget = {
        read: async (path) => then('checkpoint', await target.read(path)),
        write: async (...args) => then('tile', await target.write(...args)),
      };
      await publishLog({ store: { ...log, head: async () => then('head', await log.head()) }, target: slow });
      expect(await verified(target, 'absent')).toMatchObject({ ok: true, size: 700 });
      expect(overtaken).toBe(true);
    },
  );

  it('is not published over a larger or another log', async () => {
    const { log, grow } = growing();
    await grow(5);
    const { target } = folder();
    await publishLog({ store: log, target });
    const smaller = growing();
    await smaller.grow(3);
    await expect(publishLog({ store: smaller.log, target })).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
    const emptied = growing();
    await expect(publishLog({ store: emptied.log, target })).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
    const same = growing();
    await same.grow(5);
    await expect(publishLog({ store: same.log, target })).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
  });

  it('is not published with an event missing', async () => {
    const { log, grow } = growing();
    await grow(5);
    const holed: LogStore = {
      ...log,
      readLeaves: async (from, limit) => (await log.readLeaves(from, limit)).filter(({ index }) => index !== 3),
    };
    const { target, files } = folder();
    await expect(publishLog({ store: holed, target, entries: true })).rejects.toMatchObject({
      code: 'checkpoint_inconsistent',
    });
    expect(files.has('checkpoint')).toBe(false);
  });

  it('with any byte of any file changed, or any file gone, is found out', async () => {
    const { log, grow } = growing();
    await grow(600);
    const { files, target } = folder();
    await publishLog({ store: log, target, entries: true });
    const paths = [...files.keys()];
    const damage = fc.record({
      path: fc.constantFrom(...paths),
      at: fc.nat(),
      bit: fc.nat(7),
      how: fc.constantFrom('flip', 'cut', 'remove', 'append'),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ path, at, bit, how }) => {
        const sound = files.get(path) ?? new Uint8Array();
        const place = at % sound.length;
        const broken: TileTarget = {
          ...target,
          read: async (asked) => {
            if (asked !== path) return target.read(asked);
            if (how === 'remove') return undefined;
            if (how === 'cut') return sound.slice(0, place);
            if (how === 'append') return Uint8Array.of(...sound, 7);
            return sound.map((byte, i) => (i === place ? byte ^ (1 << bit) : byte));
          },
        };
        const verdict = await verified(broken, 'present').catch(({ code }: MedzenError) => ({
          ok: code !== 'not_found',
        }));
        expect(verdict.ok).toBe(false);
      }),
      { numRuns: 150 },
    );
  });
});

describe('an entry bundle', () => {
  it('gives back what was put in, and refuses what was cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), fc.nat(), (entries, cut) => {
        const bundle = formatEntryBundle(entries);
        expect(parseEntryBundle(bundle)?.map(toHex)).toEqual(entries.map((entry) => toHex(entry)));
        const shorter = parseEntryBundle(bundle.subarray(0, cut % (bundle.length + 1)));
        expect(shorter === undefined || shorter.length <= entries.length).toBe(true);
      }),
    );
  });
});
