import { memoryStores } from '@medzen/adapters-local';
import {
  type AuditEventDraft,
  type LogCommit,
  type LogStore,
  type LogTile,
  MedzenError,
  type SealedEvent,
  sealEvent,
  sha256,
  toHex,
} from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { openCheckpoint } from './checkpoint.ts';
import { createSequencer, type SequencerDeps } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { edgeLayout } from './tree-edge.ts';
import { leafHash, treeHash } from './tree-hash.ts';

const origin = 'example.org/audit';
const signer = createSigner({ origin, privateKey: new Uint8Array(32).fill(7) });
const scope = { tenant: 'default' };
const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  source: {},
};

function setUp(options: Partial<SequencerDeps> = {}) {
  const clock = fakeClock();
  const random = fakeRandom();
  const sealing = { clock, random, ids: fakeIds(clock, random) };
  const stores = memoryStores({ clock });
  const events: SealedEvent[] = [];
  return {
    ...stores,
    clock,
    /** Every event written, in order. */
    events,
    write: async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 1000) {
        const batch = Array.from({ length: Math.min(left, 1000) }, () => sealEvent(draft, sealing));
        events.push(...batch);
        await stores.audit.append(scope, batch);
      }
    },
    rootOf: (size: number): string => toHex(treeHash(events.slice(0, size).map(({ body }) => leafHash(body)))),
    sequencer: createSequencer({ memory: 'unguarded', store: stores.log, signer, ...options }),
  };
}

/** A log store of which some methods are others. */
function altered(store: LogStore, changes: Partial<LogStore>): LogStore {
  return { ...store, ...changes };
}

describe('a tick', () => {
  it('is idle while nothing is written, and signs nothing', async () => {
    const { sequencer } = setUp();
    expect(await sequencer.tick()).toEqual({ status: 'idle', sequenced: 0, size: 0, root: sha256(), cosigned: 0 });
  });

  it('makes leaves of what is waiting, in order, and signs one checkpoint over them', async () => {
    const log = setUp();
    await log.write(5);
    const result = await log.sequencer.tick();
    expect(result).toMatchObject({ status: 'committed', sequenced: 5, size: 5 });
    if (result.status !== 'committed') return;
    expect(toHex(result.root)).toBe(log.rootOf(5));
    expect(await openCheckpoint(result.checkpoint, [signer.verifierKey])).toMatchObject({ ok: true, size: 5, origin });
    expect((await log.log.readLeaves(0, 10)).map(({ eventId }) => eventId)).toEqual(log.events.map(({ id }) => id));
    expect(await log.log.head()).toEqual({ size: 5, root: result.root, checkpoint: result.checkpoint });
    expect(await log.sequencer.tick()).toMatchObject({ status: 'idle', size: 5, checkpoint: result.checkpoint });
    expect(await log.sequencer.lag()).toEqual({ pending: 0, lost: 0, oldestMs: 0 });
  });

  it('gives the root of all leaves and the tiles of tlog-tiles, whatever the batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(255, 256, 257, 600)), {
          minLength: 1,
          maxLength: 5,
        }),
        async (batches) => {
          const log = setUp({ batchSize: 10_000 });
          let size = 0;
          for (const batch of batches) {
            await log.write(batch);
            size += batch;
            const result = await log.sequencer.tick();
            expect(result).toMatchObject({ status: 'committed', sequenced: batch, size });
            expect(result.status === 'committed' && toHex(result.root)).toBe(log.rootOf(size));
          }
          const leafHashes = log.events.map(({ body }) => leafHash(body));
          for (const [level, { index, width }] of edgeLayout(size).entries())
            for (let n = 0; n <= index; n++) {
              const tile = await log.log.readTile(level, n);
              const expected: string[] = [];
              for (let i = 0; i < (n < index ? 256 : width); i++) {
                const [from, to] = [(n * 256 + i) * 256 ** level, (n * 256 + i + 1) * 256 ** level];
                expected.push(toHex(treeHash(leafHashes.slice(from, to))));
              }
              expect(tile === undefined ? '' : toHex(tile.hashes)).toBe(expected.join(''));
            }
        },
      ),
      { numRuns: 12 },
    );
  });

  it('grows a second level past 65 536 leaves', async () => {
    const log = setUp({ batchSize: 10_000 });
    await log.write(65_536 + 300);
    for (let status = ''; status !== 'idle'; ) status = (await log.sequencer.tick()).status;
    const head = await log.log.head();
    expect(toHex(head.root)).toBe(log.rootOf(65_836));
    expect((await log.log.readTile(2, 0))?.hashes.length).toBe(32);
    expect((await log.log.readTile(1, 1))?.hashes.length).toBe(32);
    expect((await log.log.readTile(0, 257))?.hashes.length).toBe(44 * 32);
  });

  it('writes the tiles that changed, and no others', async () => {
    const log = setUp();
    const written: string[][] = [];
    const store = altered(log.log, {
      commitBatch: (commit) => {
        written.push(commit.tiles.map(({ level, index, hashes }) => `${level}/${index}:${hashes.length / 32}`));
        return log.log.commitBatch(commit);
      },
    });
    const sequencer = createSequencer({ memory: 'unguarded', store, signer });
    for (const count of [250, 5, 2, 255, 1]) {
      await log.write(count);
      await sequencer.tick();
    }
    expect(written.map((tiles) => tiles.sort())).toEqual([
      ['0/0:250'],
      ['0/0:255'],
      ['0/0:256', '0/1:1', '1/0:1'],
      ['0/1:256', '1/0:2'],
      ['0/2:1'],
    ]);
  });

  it('takes no more than a batch', async () => {
    const log = setUp({ batchSize: 3 });
    await log.write(7);
    const sizes: number[] = [];
    for (let i = 0; i < 4; i++) sizes.push((await log.sequencer.tick()).sequenced);
    expect(sizes).toEqual([3, 3, 1, 0]);
    expect(await log.log.checkpoints(0, 10)).toHaveLength(3);
  });

  it('refuses a batch size out of bounds', () => {
    for (const batchSize of [0, -1, 1.5, 10_001, Number.NaN])
      expect(() => setUp({ batchSize })).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
  });

  it('ends when it is told to, before it writes', async () => {
    const log = setUp();
    await log.write(2);
    await expect(log.sequencer.tick(AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
    expect((await log.log.head()).size).toBe(0);
  });

  it('goes one at a time within a sequencer, however many are asked for', async () => {
    const log = setUp({ batchSize: 2 });
    await log.write(9);
    const results = await Promise.all(Array.from({ length: 6 }, () => log.sequencer.tick()));
    expect(results.map(({ sequenced }) => sequenced)).toEqual([2, 2, 2, 2, 1, 0]);
    expect(toHex((await log.log.head()).root)).toBe(log.rootOf(9));
  });
});

describe('two sequencers', () => {
  it('racing for the same batch: one wins, the other has a conflict, then both agree', async () => {
    const log = setUp();
    await log.write(4);
    const read: (() => void)[] = [];
    // Both read the batch before either commits.
    const together = (): LogStore =>
      altered(log.log, {
        readBatch: async (limit) => {
          const batch = await log.log.readBatch(limit);
          if (read.length < 2) await new Promise<void>((go) => (read.push(go) === 2 ? read.map((each) => each()) : go));
          return batch;
        },
      });
    const [a, b] = [1, 2].map(() => createSequencer({ memory: 'unguarded', store: together(), signer }));
    const results = await Promise.all([a?.tick(), b?.tick()]);
    expect(results.map((result) => result?.status).sort()).toEqual(['committed', 'conflict']);
    await log.write(3);
    const next = await Promise.all([a?.tick(), b?.tick()]);
    expect(next.map((result) => result?.status)).toContain('committed');
    for (const each of [a, b]) expect(await each?.tick()).toMatchObject({ status: 'idle', size: 7 });
    expect(toHex((await log.log.head()).root)).toBe(log.rootOf(7));
  });

  it('in any interleaving make each event exactly one leaf', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 12 }), async (scheduler, count) => {
        const log = setUp();
        await log.write(count);
        const slow = altered(log.log, {
          head: scheduler.scheduleFunction(log.log.head),
          readBatch: scheduler.scheduleFunction(log.log.readBatch),
          commitBatch: scheduler.scheduleFunction(log.log.commitBatch),
          readTile: scheduler.scheduleFunction(log.log.readTile),
        });
        const sequencers = [1, 2].map(() =>
          createSequencer({ memory: 'unguarded', store: slow, signer, batchSize: 3 }),
        );
        const ticks = sequencers.flatMap((each) => [each.tick(), each.tick(), each.tick()]);
        await scheduler.waitFor(Promise.all(ticks));
        for (let status = ''; status !== 'idle'; ) status = (await log.sequencer.tick()).status;
        const leaves = await log.log.readLeaves(0, 100);
        expect(leaves.map(({ eventId }) => eventId)).toEqual(log.events.map(({ id }) => id));
        expect(toHex((await log.log.head()).root)).toBe(log.rootOf(count));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a sequencer that is interrupted', () => {
  const down = new MedzenError('store_unavailable', 'The store is down');

  it('between reading and committing: the next tick takes the same batch', async () => {
    const log = setUp();
    await log.write(3);
    const store = altered(log.log, { commitBatch: vi.fn(log.log.commitBatch).mockRejectedValueOnce(down) });
    const sequencer = createSequencer({ memory: 'unguarded', store, signer });
    await expect(sequencer.tick()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await log.log.head()).size).toBe(0);
    expect(await sequencer.tick()).toMatchObject({ status: 'committed', sequenced: 3 });
    expect(toHex((await log.log.head()).root)).toBe(log.rootOf(3));
  });

  it('after the commit, before its answer: the next tick goes on from there, in this process and in another', async () => {
    for (const restarted of [false, true]) {
      const log = setUp();
      await log.write(3);
      const store = altered(log.log, {
        commitBatch: vi.fn(log.log.commitBatch).mockImplementationOnce(async (commit) => {
          await log.log.commitBatch(commit);
          throw down;
        }),
      });
      const sequencer = createSequencer({ memory: 'unguarded', store, signer });
      await expect(sequencer.tick()).rejects.toMatchObject({ code: 'store_unavailable' });
      await log.write(2);
      expect(await (restarted ? log.sequencer : sequencer).tick()).toMatchObject({ sequenced: 2, size: 5 });
      expect(toHex((await log.log.head()).root)).toBe(log.rootOf(5));
    }
  });

  it('at any call to the store, again and again, still makes each event exactly one leaf', async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.integer({ min: 0, max: 3 })), async (faults) => {
        const log = setUp();
        /** 0, 1: works. 2: fails before. 3: fails after. */
        const shaky =
          <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
          async (...args: A): Promise<R> => {
            const fault = faults.next().value;
            if (fault === 2) throw down;
            const result = await call(...args);
            if (fault === 3) throw down;
            return result;
          };
        const store = altered(log.log, {
          head: shaky(log.log.head),
          readBatch: shaky(log.log.readBatch),
          commitBatch: shaky(log.log.commitBatch),
        });
        let sequencer = createSequencer({ memory: 'unguarded', store, signer, batchSize: 4 });
        for (let i = 0; i < 12; i++) {
          await log.write(2);
          await sequencer.tick().catch((error: unknown) => expect(error).toBe(down));
          if (i % 5 === 4) sequencer = createSequencer({ memory: 'unguarded', store, signer, batchSize: 4 }); // the process was restarted
        }
        for (let status = ''; status !== 'idle'; ) status = (await log.sequencer.tick()).status;
        expect((await log.log.readLeaves(0, 100)).map(({ eventId }) => eventId)).toEqual(
          log.events.map(({ id }) => id),
        );
        expect(toHex((await log.log.head()).root)).toBe(log.rootOf(24));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a log that contradicts itself is not signed', () => {
  const flip = (hashes: Uint8Array, at = 0): Uint8Array => hashes.map((byte, i) => (i === at ? byte ^ 1 : byte));
  const inconsistent = { code: 'checkpoint_inconsistent' };
  const other = createSigner({ origin: 'example.org/another', privateKey: new Uint8Array(32).fill(7) });
  const stranger = createSigner({ origin, privateKey: new Uint8Array(32).fill(9) });

  /** A log of 300 leaves, a fresh sequencer over an altered view of it, and events waiting. */
  async function tampered(
    changes: (log: ReturnType<typeof setUp>) => Partial<LogStore>,
    deps: Partial<SequencerDeps> = {},
  ) {
    const log = setUp();
    await log.write(300);
    await log.sequencer.tick();
    await log.write(5);
    const commitBatch = vi.fn<(commit: LogCommit) => Promise<{ status: 'committed' }>>();
    const sequencer = createSequencer({
      memory: 'unguarded',
      store: altered(log.log, { commitBatch, ...changes(log) }),
      signer,
      ...deps,
    });
    return { log, sequencer, commitBatch };
  }

  it('when its head, its checkpoint or a tile at its edge was altered', async () => {
    const headOf =
      (change: (head: Awaited<ReturnType<LogStore['head']>>) => object) =>
      (log: ReturnType<typeof setUp>): Partial<LogStore> => ({
        head: async () => ({ ...(await log.log.head()), ...change(await log.log.head()) }),
      });
    const tileOf =
      (level: number, index: number, change: (tile: LogTile) => unknown) =>
      (log: ReturnType<typeof setUp>): Partial<LogStore> => ({
        readTile: async (l, i) => {
          const tile = await log.log.readTile(l, i);
          // hostile on purpose: whatever a damaged database may give
          return l === level && i === index && tile !== undefined ? (change(tile) as LogTile | undefined) : tile;
        },
      });
    const signedBy = async (by: typeof signer, size: number, root: Uint8Array): Promise<string> =>
      (await import('./checkpoint.ts')).signCheckpoint({ origin: by.origin, size, root }, by);
    const reference = setUp();
    await reference.write(300);
    await reference.sequencer.tick();
    const { root } = await reference.log.head();
    const byStranger = await signedBy(stranger, 300, root);
    const byOther = await signedBy(other, 300, root);
    const older = await signedBy(signer, 299, root);
    const forOther = await signedBy({ ...signer, origin: other.origin }, 300, root);
    const changes: Record<string, (log: ReturnType<typeof setUp>) => Partial<LogStore>> = {
      'size up': headOf(() => ({ size: 301 })),
      'size down': headOf(() => ({ size: 299 })),
      'size nonsense': headOf(() => ({ size: -1 })),
      'size text': headOf(() => ({ size: '300' })),
      'root altered': headOf((head) => ({ root: flip(head.root) })),
      'root short': headOf((head) => ({ root: head.root.slice(1) })),
      'no checkpoint': headOf(() => ({ checkpoint: undefined })),
      'checkpoint empty': headOf(() => ({ checkpoint: '' })),
      'checkpoint altered': headOf((head) => ({ checkpoint: head.checkpoint?.replace('300', '301') })),
      'checkpoint by another key': headOf(() => ({ checkpoint: byStranger })),
      'checkpoint of another log': headOf(() => ({ checkpoint: byOther })),
      'checkpoint by our key for another log': headOf(() => ({ checkpoint: forOther })),
      'checkpoint of another size': headOf(() => ({ checkpoint: older })),
      'emptied, checkpoint left': headOf(() => ({ size: 0, root: sha256() })),
      'emptied, root left': headOf(() => ({ size: 0, checkpoint: undefined })),
      'partial tile altered': tileOf(0, 1, (tile) => ({ ...tile, hashes: flip(tile.hashes) })),
      'partial tile missing': tileOf(0, 1, () => undefined),
      'partial tile short': tileOf(0, 1, (tile) => ({ ...tile, hashes: tile.hashes.slice(32) })),
      'partial tile ragged': tileOf(0, 1, (tile) => ({ ...tile, hashes: new Uint8Array([...tile.hashes, 1]) })),
      'partial tile no bytes': tileOf(0, 1, (tile) => ({ ...tile, hashes: 'x' })),
      'upper tile altered': tileOf(1, 0, (tile) => ({ ...tile, hashes: flip(tile.hashes, 31) })),
    };
    for (const [name, change] of Object.entries(changes)) {
      const { sequencer, commitBatch } = await tampered(change);
      await expect(sequencer.tick(), name).rejects.toMatchObject(inconsistent);
      expect(commitBatch, name).not.toHaveBeenCalled();
    }
  });

  it('when it was cut back to an earlier signed state while this process knew a later one', async () => {
    const log = setUp();
    const states: Awaited<ReturnType<LogStore['head']>>[] = [];
    for (const count of [3, 4]) {
      await log.write(count);
      await log.sequencer.tick();
      states.push(await log.log.head());
    }
    let shown = states[1];
    const store = altered(log.log, { head: async () => shown ?? log.log.head() });
    const sequencer = createSequencer({ memory: 'unguarded', store, signer });
    await sequencer.tick();
    shown = states[0];
    await expect(sequencer.tick()).rejects.toMatchObject(inconsistent);
    shown = { size: 0, root: sha256() };
    await expect(sequencer.tick()).rejects.toMatchObject(inconsistent);
    shown = states[1];
    expect(await sequencer.tick()).toMatchObject({ status: 'idle', size: 7 });
  });

  it('when it was cut back right after this process had committed', async () => {
    const log = setUp();
    await log.write(3);
    await log.sequencer.tick();
    const before = await log.log.head();
    await log.write(2);
    let shown: typeof before | undefined;
    const store = altered(log.log, { head: async () => shown ?? log.log.head() });
    const sequencer = createSequencer({ memory: 'unguarded', store, signer });
    expect(await sequencer.tick()).toMatchObject({ status: 'committed', size: 5 });
    shown = before;
    await expect(sequencer.tick()).rejects.toMatchObject(inconsistent);
  });

  it('when its past is another than the trusted checkpoint, although it is signed', async () => {
    const sizes = [1, 100, 256, 299];
    for (const size of sizes) {
      const first = setUp();
      await first.write(size);
      await first.sequencer.tick();
      const { checkpoint: trusted = '' } = await first.log.head();
      // The same key signed another history, 300 long: events differ in their order.
      const second = setUp({ batchSize: 1000 });
      await second.write(1);
      await second.write(299);
      const history = second.events.toReversed();
      const forged = memoryStores();
      await forged.audit.append(scope, history);
      await createSequencer({
        memory: 'unguarded',
        store: altered(forged.log, { readBatch: async () => history.filter((_, i) => i > 0) }),
        signer,
      }).tick();
      const suspicious = createSequencer({ memory: 'unguarded', store: forged.log, signer, trusted });
      await expect(suspicious.tick(), `${size}`).rejects.toMatchObject(inconsistent);
      const credulous = createSequencer({ memory: 'unguarded', store: forged.log, signer });
      expect(await credulous.tick()).toMatchObject({ status: 'committed' });
    }
  });

  it('when it is shorter than the trusted checkpoint', async () => {
    const long = setUp();
    await long.write(9);
    await long.sequencer.tick();
    const { checkpoint: trusted = '' } = await long.log.head();
    const short = setUp({ trusted });
    await expect(short.sequencer.tick()).rejects.toMatchObject(inconsistent);
    await short.write(8);
    await expect(short.sequencer.tick()).rejects.toMatchObject(inconsistent);
  });

  it('but is, when it grew out of the trusted checkpoint, at every size of both', async () => {
    const log = setUp({ batchSize: 1 });
    const trusted: string[] = [];
    for (let i = 0; i < 12; i++) {
      await log.write(1);
      const result = await log.sequencer.tick();
      if (result.status === 'committed') trusted.push(result.checkpoint);
      for (const text of trusted)
        expect(
          await createSequencer({ memory: 'unguarded', store: log.log, signer, trusted: text }).tick(),
        ).toMatchObject({
          status: 'idle',
        });
    }
  });

  it('nor is anything, when the trusted checkpoint cannot be opened', async () => {
    const log = setUp({ trusted: 'nonsense' });
    await log.write(1);
    await expect(log.sequencer.tick()).rejects.toMatchObject({ code: 'invalid_configuration' });
    await expect(log.sequencer.tick()).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  it('by a new key, unless the old one is named as one that signed before', async () => {
    const log = setUp();
    await log.write(2);
    await log.sequencer.tick();
    await log.write(2);
    await expect(
      createSequencer({ memory: 'unguarded', store: log.log, signer: stranger }).tick(),
    ).rejects.toMatchObject(inconsistent);
    const rotated = createSequencer({
      memory: 'unguarded',
      store: log.log,
      signer: stranger,
      previousKeys: [signer.verifierKey],
    });
    expect(await rotated.tick()).toMatchObject({ status: 'committed', size: 4 });
  });
});

describe('a running sequencer', () => {
  it('works off what waits, then rests for its interval, until it is told to end', async () => {
    const stop = new AbortController();
    const pauses: number[] = [];
    const log = setUp({
      batchSize: 2,
      sleep: async (ms) => {
        pauses.push(ms);
        if (pauses.length === 3) stop.abort();
      },
    });
    await log.write(5);
    await log.sequencer.run({ intervalMs: 1000, signal: stop.signal });
    expect(pauses).toEqual([1000, 1000, 1000]);
    expect((await log.log.head()).size).toBe(5);
  });

  it('waits longer after each failure that may pass, says so, and goes on', async () => {
    const stop = new AbortController();
    const pauses: number[] = [];
    const warn = vi.fn();
    const quiet = { info: vi.fn(), warn, error: vi.fn() };
    const log = setUp();
    await log.write(1);
    const head = vi.fn(log.log.head);
    for (let i = 0; i < 3; i++) head.mockRejectedValueOnce(new MedzenError('store_unavailable', 'down'));
    const sequencer = createSequencer({
      memory: 'unguarded',
      store: altered(log.log, { head }),
      signer,
      logger: quiet,
      sleep: async (ms) => {
        pauses.push(ms);
        if (pauses.length === 4) stop.abort();
      },
    });
    await sequencer.run({ intervalMs: 10_000, signal: stop.signal });
    expect(pauses).toEqual([20_000, 40_000, 60_000, 10_000]);
    expect(warn).toHaveBeenCalledTimes(3);
    expect((await log.log.head()).size).toBe(1);
  });

  it('ends with an error when the log contradicts itself', async () => {
    const log = setUp();
    const error = vi.fn();
    const head = async (): Promise<{ size: number; root: Uint8Array }> => ({ size: 1, root: sha256() });
    const sequencer = createSequencer({
      memory: 'unguarded',
      store: altered(log.log, { head }),
      signer,
      logger: { info: vi.fn(), warn: vi.fn(), error },
    });
    await expect(sequencer.run({ intervalMs: 1, signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'checkpoint_inconsistent',
    });
    expect(error).toHaveBeenCalledOnce();
  });

  it('wakes from its rest when it is told to end', async () => {
    const stop = new AbortController();
    const log = setUp();
    const running = log.sequencer.run({ intervalMs: 3_600_000, signal: stop.signal });
    await log.sequencer.tick();
    stop.abort();
    await running;
  });
});
