import { memoryStores } from '@medzen/adapters-local';
import {
  type AuditEventDraft,
  type LogHead,
  type LogLeaf,
  type LogStore,
  type LogTile,
  MedzenError,
  type SealedEvent,
  sealEvent,
  sha256,
} from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, readTreeHead, signCheckpoint } from './checkpoint.ts';
import { createCosigner } from './cosigner.ts';
import { publishLog } from './publish-log.ts';
import { memoryCheckpoints } from './sequencer/checkpoint-memory.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { leafHash, treeHash } from './tree-hash.ts';
import { type VerifyLogOptions, verifyLog } from './verify-log.ts';

const origin = 'example.org/audit';
const signer = createSigner({ origin, privateKey: new Uint8Array(32).fill(7) });
const verifierKeys = [signer.verifierKey];
const scope = { tenant: 'default' };
const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  source: {},
};

/** A sequenced log of a size, and ways to damage it behind the library's back. */
async function sealedLog(size: number, batchSize = 1000) {
  const clock = fakeClock();
  const random = fakeRandom();
  const sealing = { clock, random, ids: fakeIds(clock, random) };
  const stores = memoryStores({ clock });
  const events: SealedEvent[] = Array.from({ length: size }, () => sealEvent(draft, sealing));
  for (let i = 0; i < size; i += 1000) await stores.audit.append(scope, events.slice(i, i + 1000));
  const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer, batchSize });
  for (let status = ''; status !== 'idle'; ) status = (await sequencer.tick()).status;

  const view: { -readonly [Method in 'head' | 'readLeaves' | 'readTile']: LogStore[Method] } = {
    head: stores.log.head,
    readLeaves: stores.log.readLeaves,
    readTile: stores.log.readTile,
  };
  const store: LogStore = {
    ...stores.log,
    head: () => view.head(),
    readLeaves: (from, limit) => view.readLeaves(from, limit),
    readTile: (level, index) => view.readTile(level, index),
  };
  return {
    stores,
    sequencer,
    events,
    store,
    idAt: (index: number): string => events[index]?.id ?? '',
    more: async (count: number): Promise<void> => {
      const added = Array.from({ length: count }, () => sealEvent(draft, sealing));
      events.push(...added);
      await stores.audit.append(scope, added);
    },
    alterEvent: (index: number, change: (body: Uint8Array) => Uint8Array | undefined): void => {
      const event = events[index];
      if (event !== undefined) stores.inspect.damage(event.id, change(event.body));
    },
    alterTile: (level: number, index: number, change: (tile: LogTile) => unknown): void => {
      const before = view.readTile;
      view.readTile = async (l, i) => {
        const tile = await before(l, i);
        // hostile on purpose: whatever a damaged database may give
        return l === level && i === index && tile !== undefined ? (change(tile) as LogTile | undefined) : tile;
      };
    },
    alterHead: (change: object): void => {
      const before = view.head;
      view.head = async () => ({ ...(await before()), ...change });
    },
    alterLeaves: (change: (leaves: readonly LogLeaf[]) => unknown): void => {
      const before = view.readLeaves;
      // hostile on purpose
      view.readLeaves = async (from, limit) => change(await before(from, limit)) as readonly LogLeaf[];
    },
    verify: (options: Partial<VerifyLogOptions> = {}) => verifyLog({ store, verifierKeys, ...options }),
  };
}

const flip =
  (at: number) =>
  (bytes: Uint8Array): Uint8Array =>
    bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
const flipHash =
  (position: number) =>
  (tile: LogTile): LogTile => ({ ...tile, hashes: flip(position * 32)(tile.hashes) });
const putHash =
  (position: number, hash: Uint8Array) =>
  (tile: LogTile): LogTile => {
    const hashes = tile.hashes.slice();
    hashes.set(hash, position * 32);
    return { ...tile, hashes };
  };

describe('a sound log', () => {
  it('verifies, at sizes around those of tiles, and says what it verified', async () => {
    for (const size of [1, 2, 3, 255, 256, 257, 511, 512, 1024, 1025, 2100]) {
      const log = await sealedLog(size);
      const head = await log.store.head();
      expect(await log.verify()).toEqual({
        ok: true,
        origin,
        size,
        root: head.root,
        checkpoint: head.checkpoint,
        purged: 0,
        unsequenced: 0,
        lost: 0,
        rebases: [],
      });
    }
  });

  it('verifies past a second level of tiles', async () => {
    const log = await sealedLog(65_536 + 700, 10_000);
    expect(await log.verify()).toMatchObject({ ok: true, size: 66_236 });
    log.alterEvent(40_000, flip(9));
    log.alterTile(1, 0, flipHash(17));
    const verdict = await log.verify();
    expect(verdict).toMatchObject({ ok: false, total: 2 });
    expect(verdict.ok ? [] : verdict.findings).toEqual([
      { kind: 'event_altered', index: 40_000, eventId: log.idAt(40_000) },
      { kind: 'tile_altered', level: 1, index: 0, position: 17 },
    ]);
  });

  it('verifies while it is empty', async () => {
    const log = await sealedLog(0);
    expect(await log.verify()).toEqual({
      ok: true,
      origin: undefined,
      size: 0,
      root: sha256(),
      purged: 0,
      unsequenced: 0,
      lost: 0,
      rebases: [],
    });
  });

  it('says how many events no checkpoint covers yet', async () => {
    const log = await sealedLog(4);
    await log.more(3);
    expect(await log.verify()).toMatchObject({ ok: true, size: 4, unsequenced: 3 });
  });

  it('verifies against every checkpoint it ever signed', async () => {
    const log = await sealedLog(0);
    const held: string[] = [];
    for (const count of [1, 1, 1, 60, 192, 1, 1, 300]) {
      await log.more(count);
      const result = await log.sequencer.tick();
      if (result.status === 'committed') held.push(result.checkpoint);
    }
    for (const checkpoint of held) expect(await log.verify({ checkpoint })).toMatchObject({ ok: true, size: 557 });
  });

  it('verifies while it grows', async () => {
    const log = await sealedLog(1500);
    let pages = 0;
    log.alterLeaves((leaves) => leaves);
    const growing: LogStore = {
      ...log.store,
      readLeaves: async (from, limit) => {
        pages++;
        await log.more(400);
        await log.sequencer.tick();
        return log.store.readLeaves(from, limit);
      },
    };
    expect(await verifyLog({ store: growing, verifierKeys })).toMatchObject({ ok: true, size: 1500 });
    expect(pages).toBe(2);
    expect(await log.verify()).toMatchObject({ ok: true, size: 2300 });
  });

  it('is read page by page, and tells how far it is', async () => {
    const log = await sealedLog(2500);
    const progress: number[] = [];
    const limits: number[] = [];
    const store: LogStore = {
      ...log.store,
      readLeaves: (from, limit) => {
        limits.push(limit);
        return log.store.readLeaves(from, limit);
      },
    };
    await verifyLog({ store, verifierKeys, onProgress: ({ verified, size }) => progress.push(verified / size) });
    expect(limits).toEqual([1024, 1024, 452]);
    expect(progress).toEqual([1024 / 2500, 2048 / 2500, 1]);
  });

  it('verifies from a store that gives less than it was asked for', async () => {
    const log = await sealedLog(700);
    log.alterLeaves((leaves) => leaves.slice(0, 100));
    expect(await log.verify()).toMatchObject({ ok: true, size: 700 });
  });
});

describe('an altered event', () => {
  it('is named, whichever it is and whatever was done to it', async () => {
    const changes: ((body: Uint8Array) => Uint8Array)[] = [
      flip(0),
      flip(37),
      (body) => body.slice(0, -1),
      (body) => new Uint8Array([...body, 0x20]),
      () => new Uint8Array(),
      () => new TextEncoder().encode('{}'),
    ];
    for (let index = 0; index < 11; index++) {
      const log = await sealedLog(11, 4);
      log.alterEvent(index, changes[index % changes.length] ?? flip(1));
      expect(await log.verify()).toEqual({
        ok: false,
        size: 11,
        total: 1,
        findings: [{ kind: 'event_altered', index, eventId: log.idAt(index) }],
        unsequenced: 0,
        lost: 0,
        rebases: [],
      });
    }
  });

  it('is named in full tiles too, and so are many', async () => {
    const log = await sealedLog(1500);
    const altered = [0, 255, 256, 700, 1023, 1024, 1400, 1499];
    for (const index of altered) log.alterEvent(index, flip(20));
    const verdict = await log.verify();
    expect(verdict.ok ? [] : verdict.findings).toEqual(
      altered.map((index) => ({ kind: 'event_altered', index, eventId: log.idAt(index) })),
    );
  });

  it('is named when it is missing, or replaced by another', async () => {
    for (let index = 0; index < 5; index++) {
      const gone = await sealedLog(5);
      gone.alterEvent(index, () => undefined);
      const verdict = await gone.verify();
      expect(verdict.ok ? [] : verdict.findings).toEqual([
        { kind: 'event_missing', index, count: 1, eventId: gone.idAt(index) },
      ]);
      const swapped = await sealedLog(5);
      const next = (index + 1) % 5;
      const bodies = [index, next].map((i) => swapped.events[i]?.body ?? new Uint8Array());
      swapped.alterEvent(index, () => bodies[1]);
      swapped.alterEvent(next, () => bodies[0]);
      const both = await swapped.verify();
      expect(both.ok ? [] : both.findings).toEqual(
        [index, next].sort().map((i) => ({ kind: 'event_altered', index: i, eventId: swapped.idAt(i) })),
      );
    }
  });

  it('is named when its row carries the id of another', async () => {
    const log = await sealedLog(300);
    log.alterLeaves((leaves) =>
      leaves.map((leaf) => (leaf.index === 270 || leaf.index === 3 ? { ...leaf, eventId: log.idAt(1) } : leaf)),
    );
    const verdict = await log.verify();
    expect(verdict.ok ? [] : verdict.findings).toEqual([
      { kind: 'event_altered', index: 3, eventId: log.idAt(1) },
      { kind: 'event_altered', index: 270, eventId: log.idAt(1) },
    ]);
  });

  it('is named as a range when the hash over it was altered with it', async () => {
    const log = await sealedLog(600);
    const forged = new TextEncoder().encode(`{"a":0,"id":"${log.idAt(300)}"}`);
    log.alterEvent(300, () => forged);
    log.alterTile(0, 1, putHash(44, leafHash(forged)));
    const verdict = await log.verify();
    expect(verdict.ok ? [] : verdict.findings).toEqual([{ kind: 'range_altered', index: 256, count: 256 }]);
  });

  it('shows in the root when every hash over it was altered with it', async () => {
    const log = await sealedLog(20);
    const forged = new TextEncoder().encode(`{"a":0,"id":"${log.idAt(7)}"}`);
    log.alterEvent(7, () => forged);
    log.alterTile(0, 0, putHash(7, leafHash(forged)));
    const verdict = await log.verify();
    expect(verdict.ok ? [] : verdict.findings).toEqual([{ kind: 'root_mismatch', size: 20 }]);
    const hashes = log.events.map(({ body }, i) => leafHash(i === 7 ? forged : body));
    log.alterHead({ root: treeHash(hashes) });
    const again = await log.verify();
    expect(again.ok ? [] : again.findings.map(({ kind }) => kind)).toEqual(['head_altered', 'root_mismatch']);
  });
});

describe('missing leaves', () => {
  it('are counted, wherever they are', async () => {
    for (const [from, to, size] of [
      [0, 1, 5],
      [2, 4, 5],
      [4, 5, 5],
      [0, 300, 600],
      [250, 600, 600],
      [0, 600, 600],
    ] as const) {
      const log = await sealedLog(size);
      log.alterLeaves((leaves) => leaves.filter(({ index }) => index < from || index >= to));
      const verdict = await log.verify();
      expect(verdict.ok).toBe(false);
      const missing = verdict.ok ? [] : verdict.findings.filter(({ kind }) => kind === 'event_missing');
      expect(missing.reduce((sum, finding) => sum + (finding.kind === 'event_missing' ? finding.count : 0), 0)).toBe(
        to - from,
      );
      expect(verdict.ok ? [] : verdict.findings).toEqual(missing);
      expect(missing[0]).toEqual({ kind: 'event_missing', index: from, count: expect.any(Number) });
    }
  });

  it('are counted as they are where the store fills its page with later ones', async () => {
    const log = await sealedLog(5000);
    const all = await log.stores.log.readLeaves(0, 5000);
    for (const [from, to] of [
      [0, 1024],
      [1024, 2048],
      [1024, 3500],
      [700, 1900],
    ] as const) {
      const rows = all.filter(({ index }) => index < from || index >= to);
      const readLeaves: LogStore['readLeaves'] = async (first, limit) =>
        rows.filter(({ index }) => index >= first).slice(0, limit);
      const verdict = await verifyLog({ store: { ...log.store, readLeaves }, verifierKeys });
      const findings = verdict.ok ? [] : verdict.findings;
      expect(findings).toEqual([{ kind: 'event_missing', index: from, count: to - from }]);
    }
  });

  it('do not keep the rest from being verified', async () => {
    const log = await sealedLog(900);
    log.alterLeaves((leaves) => leaves.filter(({ index }) => index !== 10));
    log.alterEvent(800, flip(3));
    const verdict = await log.verify();
    expect(verdict.ok ? [] : verdict.findings).toEqual([
      { kind: 'event_missing', index: 10, count: 1 },
      { kind: 'event_altered', index: 800, eventId: log.idAt(800) },
    ]);
  });
});

describe('an altered tile', () => {
  it('is named and its events are not blamed, at every position of a small log', async () => {
    for (let position = 0; position < 6; position++) {
      const log = await sealedLog(6);
      log.alterTile(0, 0, flipHash(position));
      const verdict = await log.verify();
      expect(verdict.ok ? [] : verdict.findings).toEqual([{ kind: 'tile_altered', level: 0, index: 0, position }]);
    }
  });

  it('is named at every level, full or partial, missing or short', async () => {
    const cases: [level: number, index: number, change: (tile: LogTile) => unknown, finding: object][] = [
      [0, 0, flipHash(200), { level: 0, index: 0, position: 200 }],
      [0, 2, flipHash(87), { level: 0, index: 2, position: 87 }],
      [1, 0, flipHash(1), { level: 1, index: 0, position: 1 }],
      [0, 0, () => undefined, { level: 0, index: 0 }],
      [0, 2, () => undefined, { level: 0, index: 2 }],
      [1, 0, () => undefined, { level: 1, index: 0 }],
      [0, 1, (tile) => ({ ...tile, hashes: tile.hashes.slice(0, 64) }), { level: 0, index: 1 }],
      [0, 2, (tile) => ({ ...tile, hashes: 'x' }), { level: 0, index: 2 }],
      [0, 1, (tile) => ({ ...tile, hashes: new Uint8Array(8192) }), { level: 0, index: 1 }],
      [1, 0, (tile) => ({ ...tile, hashes: null }), { level: 1, index: 0 }],
    ];
    for (const [level, index, change, finding] of cases) {
      const log = await sealedLog(600);
      log.alterTile(level, index, change);
      const verdict = await log.verify();
      expect(verdict.ok ? [] : verdict.findings).toEqual([{ kind: 'tile_altered', ...finding }]);
    }
  });

  it('is told from an altered event, even when both are in one tile', async () => {
    for (const size of [40, 600]) {
      const log = await sealedLog(size);
      log.alterTile(0, 0, flipHash(5));
      log.alterEvent(9, flip(2));
      const verdict = await log.verify();
      expect(verdict.ok ? [] : verdict.findings).toEqual([
        { kind: 'tile_altered', level: 0, index: 0, position: 5 },
        { kind: 'event_altered', index: 9, eventId: log.idAt(9) },
      ]);
    }
  });

  it('under which the events are gone as well leaves the rest verified', async () => {
    const log = await sealedLog(600);
    log.alterTile(0, 1, () => undefined);
    log.alterLeaves((leaves) => leaves.filter(({ index }) => index < 256 || index >= 512));
    const verdict = await log.verify();
    expect(verdict.ok ? [] : verdict.findings).toEqual([
      { kind: 'event_missing', index: 256, count: 256 },
      { kind: 'tile_altered', level: 0, index: 1 },
    ]);
  });
});

describe('the checkpoint', () => {
  const stranger = createSigner({ origin, privateKey: new Uint8Array(32).fill(9) });
  const neighbour = createSigner({ origin: 'example.org/another', privateKey: new Uint8Array(32).fill(7) });
  const kinds = async (log: Awaited<ReturnType<typeof sealedLog>>, options: Partial<VerifyLogOptions> = {}) => {
    const verdict = await log.verify(options);
    return verdict.ok ? [] : verdict.findings.map(({ kind }) => kind);
  };

  it('by another key is refused', async () => {
    const log = await sealedLog(3);
    expect(await log.verify({ verifierKeys: [stranger.verifierKey] })).toMatchObject({
      ok: false,
      findings: [{ kind: 'wrong_key', which: 'stored' }],
    });
  });

  it('of another log, by a key that is trusted for it, is refused', async () => {
    const log = await sealedLog(3);
    const { root } = await log.store.head();
    const trusted = [...verifierKeys, neighbour.verifierKey];
    const checkpoint = await signCheckpoint({ origin: neighbour.origin, size: 3, root }, neighbour);
    expect(await kinds(log, { verifierKeys: trusted, checkpoint })).toEqual(['wrong_key']);
    const asOurs = { ...neighbour, origin };
    const borrowed = await signCheckpoint({ origin, size: 3, root }, asOurs); // our origin, signed by the neighbour's key
    log.alterHead({ checkpoint: borrowed });
    expect(await kinds(log, { verifierKeys: trusted })).toEqual(['wrong_key']);
  });

  it('that is missing, malformed or altered is refused, and the damage under it is named all the same', async () => {
    const log = await sealedLog(3);
    const { checkpoint = '' } = await log.store.head();
    for (const bad of [undefined, '', 'x', checkpoint.slice(0, -2), checkpoint.replace('\n3\n', '\n4\n'), 7]) {
      const damaged = await sealedLog(3);
      damaged.alterHead({ checkpoint: bad });
      expect(await kinds(damaged)).toEqual(['checkpoint_invalid']);
      damaged.alterEvent(1, flip(1));
      expect(await kinds(damaged)).toEqual(['checkpoint_invalid', 'event_altered']);
    }
  });

  it('is opened by the signature of the log itself, and a damaged line below it is named', async () => {
    const witness = createCosigner({ name: 'witness.example/w1', privateKey: new Uint8Array(32).fill(9) });
    const [name = '', id = ''] = witness.verifierKey.split('+');
    const failing = `\u2014 ${name} ${Buffer.from(`${id}${'00'.repeat(72)}`, 'hex').toString('base64')}\n`;
    const short = `\u2014 ${name} ${Buffer.from(`${id}00`, 'hex').toString('base64')}\n`;
    const keys = [...verifierKeys, witness.verifierKey];
    const damages = [failing, short, 'no signature line\n', '\u2014 stranger !\n', '\n\n\u0000', 'x'.repeat(200_000)];
    for (const damage of damages) {
      const log = await sealedLog(5);
      const { checkpoint = '' } = await log.store.head();
      expect((await openCheckpoint(checkpoint + damage, keys)).ok).toBe(false);
      log.alterHead({ checkpoint: checkpoint + damage });
      const findings = [{ kind: 'cosignature_damaged', which: 'stored' }];
      expect(await log.verify({ verifierKeys: keys }), damage.slice(0, 20)).toMatchObject({
        ok: false,
        size: 5,
        findings,
      });
      log.alterEvent(3, flip(9));
      expect(await log.verify({ verifierKeys: keys })).toMatchObject({
        findings: [...findings, { kind: 'event_altered', index: 3 }],
        total: 2,
      });
    }
  });

  it('with a damaged line stops neither the sequencer nor its memory, and none is published', async () => {
    const log = await sealedLog(5);
    const { checkpoint = '' } = await log.store.head();
    log.alterHead({ checkpoint: `${checkpoint}damaged\n` });
    const memory = memoryCheckpoints();
    await memory.replace(origin, undefined, { checkpoint });
    const sequencer = createSequencer({ memory, store: log.store, signer });
    expect(await sequencer.tick()).toMatchObject({ status: 'idle' });
    expect((await memory.read(origin))?.checkpoint).toBe(checkpoint);
    const files = new Map<string, Uint8Array>();
    const target = {
      read: async (path: string) => files.get(path),
      write: async (path: string, bytes: Uint8Array) => {
        files.set(path, bytes);
      },
    };
    await publishLog({ store: log.store, target });
    expect(readTreeHead(new TextDecoder().decode(files.get('checkpoint')))).toMatchObject({ size: 5 });
  });

  it('with a failing line of a key of the log is refused, whatever else stands there', async () => {
    const log = await sealedLog(5);
    const { checkpoint = '' } = await log.store.head();
    const other = await signCheckpoint({ origin, size: 4, root: new Uint8Array(32) }, signer);
    log.alterHead({ checkpoint: `${checkpoint}${other.slice(other.indexOf('\n\n') + 2)}damaged\n` });
    expect(await log.verify()).toMatchObject({
      ok: false,
      findings: [{ kind: 'checkpoint_invalid', which: 'stored', reason: 'malformed' }],
    });
  });

  it('shows a head row that was altered', async () => {
    for (const change of [
      { size: 2 },
      { size: 4 },
      { size: 2 ** 52 },
      { size: -1 },
      { size: 'x' },
      { root: sha256() },
      { root: 'x' },
    ]) {
      const log = await sealedLog(3);
      log.alterHead(change);
      expect(await kinds(log)).toEqual(['head_altered']);
    }
  });

  it('that is missing does not make a nonsense size an endless walk', async () => {
    const log = await sealedLog(3);
    log.alterHead({ checkpoint: undefined, size: 2 ** 52 });
    expect(await kinds(log)).toEqual(['checkpoint_invalid']);
    log.alterLeaves((leaves) => leaves.map((leaf) => ({ ...leaf, index: leaf.index === 2 ? 2 ** 50 : leaf.index })));
    expect(await kinds(log)).toEqual(['checkpoint_invalid', 'root_mismatch']);
  });

  it('held elsewhere shows a log that was cut back to an earlier signed state', async () => {
    const log = await sealedLog(300);
    const before = await log.store.head();
    await log.more(5);
    await log.sequencer.tick();
    const { checkpoint = '' } = await log.store.head();
    expect(await log.verify({ checkpoint })).toMatchObject({ ok: true, size: 305 });
    log.alterHead(before);
    expect(await log.verify()).toMatchObject({ ok: true, size: 300 });
    expect(await log.verify({ checkpoint })).toMatchObject({
      ok: false,
      findings: [{ kind: 'size_regressed', size: 300, trustedSize: 305 }],
    });
    const empty = await sealedLog(0);
    expect(await kinds(empty, { checkpoint })).toEqual(['size_regressed']);
  });

  it('held elsewhere shows a past that was rewritten and signed again', async () => {
    const log = await sealedLog(600);
    for (const size of [1, 255, 256, 257, 512, 599, 600]) {
      const other = sha256(Uint8Array.of(size % 256));
      const checkpoint = await signCheckpoint({ origin, size, root: other }, signer);
      expect(await log.verify({ checkpoint })).toMatchObject({
        ok: false,
        total: 1,
        findings: [{ kind: 'history_rewritten', size: 600, trustedSize: size }],
      });
    }
  });

  it('held elsewhere is no cause for alarm when only a tile or an event was altered', async () => {
    const log = await sealedLog(600);
    const hashes = log.events.map(({ body }) => leafHash(body));
    log.alterTile(0, 0, flipHash(3));
    log.alterEvent(290, flip(1));
    for (const size of [1, 4, 256, 290, 291, 511, 600]) {
      const root = treeHash(hashes.slice(0, size));
      const checkpoint = await signCheckpoint({ origin, size, root }, signer);
      expect(await kinds(log, { checkpoint })).toEqual(['tile_altered', 'event_altered']);
    }
  });

  it('held elsewhere must itself hold', async () => {
    const log = await sealedLog(3);
    const { root } = await log.store.head();
    const alien = await signCheckpoint({ origin, size: 3, root }, stranger);
    expect(await kinds(log, { checkpoint: alien })).toEqual(['wrong_key']);
    expect(await kinds(log, { checkpoint: 'x' })).toEqual(['checkpoint_invalid']);
  });
});

describe('verification', () => {
  it('believes no purge that is dated ahead, as the last leaf and without a clock', async () => {
    const log = await sealedLog(6);
    const years = 20;
    const at = new Date(Date.now() + years * 366 * 86_400_000);
    const clock = { now: () => at };
    const random = fakeRandom();
    const forged = sealEvent(
      {
        ...draft,
        ...{ action: 'audit.purge', kind: 'delete', target: { type: 'audit_archive', id: '2-4' } },
        detail: { first: 2, end: 4, years: 6, manifestSha256: '00'.repeat(32) },
      },
      { clock, random, ids: fakeIds(clock, random) },
    );
    await log.stores.audit.append(scope, [forged]);
    await log.sequencer.tick();
    log.alterLeaves((leaves) =>
      leaves.map((leaf) => {
        if (leaf.index !== 2 && leaf.index !== 3) return leaf;
        const { body: _, ...rest } = leaf;
        return { ...rest, purged: true };
      }),
    );
    const verdict = await log.verify();
    expect(verdict).toMatchObject({ ok: false, size: 7, total: 2 });
    expect(verdict.ok ? [] : verdict.findings).toMatchObject([
      { kind: 'event_missing', index: 2, purge: 'dated_ahead' },
      { kind: 'event_missing', index: 3, purge: 'dated_ahead' },
    ]);
    expect(await log.verify({ clock })).toMatchObject({ ok: true, purged: 2 });
  });

  it('never throws because of what is stored, and never calls a damaged log sound', async () => {
    const junk = fc.oneof(
      fc.constantFrom<unknown>(undefined, null, 0, 'x', {}, new Uint8Array(), new Uint8Array(32), new Uint8Array(33)),
      fc.integer(),
      fc.double(),
      fc.uint8Array({ maxLength: 70 }),
    );
    const target = await sealedLog(280);
    const sound = { head: await target.store.head(), leaves: await target.store.readLeaves(0, 280) };
    await fc.assert(
      fc.asyncProperty(
        fc.record({ size: junk, root: junk, checkpoint: junk }, { requiredKeys: [] }),
        fc.array(fc.tuple(fc.nat(279), fc.constantFrom('index', 'eventId', 'body', 'gone'), junk), { maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(1), fc.nat(1), junk), { maxLength: 2 }),
        async (head, leafChanges, tileChanges) => {
          const log = target;
          const leaves = sound.leaves.flatMap((leaf) => {
            const changes = leafChanges.filter(([index]) => index === leaf.index);
            if (changes.some(([, member]) => member === 'gone')) return [];
            return [{ ...leaf, ...Object.fromEntries(changes.map(([, member, value]) => [member, value])) }];
          });
          const store: LogStore = {
            ...log.store,
            head: async () => ({ ...sound.head, ...head }) as LogHead, // hostile on purpose
            readLeaves: async (from, limit) => leaves.slice(from, from + limit) as readonly LogLeaf[], // hostile on purpose
            readTile: async (level, index) => {
              const change = tileChanges.find(([l, i]) => l === level && i === index);
              const tile = await log.store.readTile(level, index);
              // hostile on purpose
              return change === undefined ? tile : ({ level, index, hashes: change[2] } as LogTile);
            },
          };
          const verdict = await verifyLog({ store, verifierKeys });
          const leavesOf = (rows: readonly object[]): string => JSON.stringify(rows);
          const untouched =
            Object.keys(head).length === 0 && leavesOf(leaves) === leavesOf(sound.leaves) && tileChanges.length === 0;
          if (untouched) expect(verdict.ok).toBe(true);
          if (Object.keys(head).length > 0 || leavesOf(leaves) !== leavesOf(sound.leaves))
            expect(verdict.ok).toBe(false);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('lists no more findings than it was asked for, and counts them all', async () => {
    const log = await sealedLog(50);
    for (let i = 0; i < 50; i++) log.alterEvent(i, flip(1));
    const verdict = await log.verify({ maxFindings: 7 });
    expect(verdict).toMatchObject({ ok: false, total: 50 });
    expect(verdict.ok ? 0 : verdict.findings.length).toBe(7);
  });

  it('fails when the store is down: that is no verdict', async () => {
    const log = await sealedLog(2000);
    const down = new MedzenError('store_unavailable', 'down');
    for (const method of ['head', 'readLeaves', 'readTile', 'lag'] as const) {
      const store: LogStore = { ...log.store, [method]: async () => Promise.reject(down) };
      await expect(verifyLog({ store, verifierKeys })).rejects.toBe(down);
    }
  });

  it('ends when it is told to', async () => {
    const log = await sealedLog(3000);
    const stop = new AbortController();
    const seen: number[] = [];
    const verifying = log.verify({
      signal: stop.signal,
      onProgress: ({ verified }) => {
        seen.push(verified);
        stop.abort(new Error('enough'));
      },
    });
    await expect(verifying).rejects.toThrow('enough');
    expect(seen).toEqual([1024]);
  });
});
