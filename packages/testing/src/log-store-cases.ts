import { type SealedEvent, sha256 } from '@medzen/core';
import { at, holds, present, rejects, same, status } from './assertions.ts';
import type { ContractCase } from './contract.ts';
import { archiveCases } from './log-cases/archive-cases.ts';
import { cosignCases } from './log-cases/cosign-cases.ts';
import { appended, commitOf, committed, define, join, type Tools } from './log-cases/log-commit.ts';
import { rebaseCases } from './log-cases/rebase-cases.ts';
import { strayCases } from './log-cases/stray-cases.ts';
import { modelLeaf, modelRoot } from './merkle-model.ts';
import type { LogStoreContext } from './store-context.ts';

type Case = ContractCase<LogStoreContext>;

const idsOf = (events: readonly { readonly id: string }[]): readonly string[] => events.map(({ id }) => id);

async function unchanged(tools: Tools, events: readonly SealedEvent[]): Promise<void> {
  const head = await tools.stores.log.head();
  const root = modelRoot(events.map(({ body }) => modelLeaf(body)));
  same({ size: head.size, root: head.root }, { size: events.length, root }, 'the head moved');
  holds((await tools.stores.log.readLeaves(0, 1000)).length === events.length, 'leaves were added');
  const points = await tools.stores.log.checkpoints(0, 1000);
  holds(
    points.every(({ size }) => size <= events.length),
    'a checkpoint was added',
  );
}

const reading: readonly Case[] = [
  define('head.empty', 'starts with the empty tree', async ({ stores: { log } }) => {
    same(await log.head(), { size: 0, root: sha256() }, 'head');
    same(await log.readBatch(10), [], 'batch');
    same(await log.readLeaves(0, 10), [], 'leaves');
    same(await log.checkpoints(0, 10), [], 'checkpoints');
    same(await log.lag(), { pending: 0, lost: 0, oldestMs: 0 }, 'lag');
    holds((await log.readTile(0, 0)) === undefined, 'there is a tile');
  }),

  define('read.order', 'reads by transaction first, then by event id', async ({ stores, scope, mine }) => {
    const { log } = stores;
    const [a, b, c, d] = [mine.event(), mine.event(), mine.event(), mine.event()];
    await stores.audit.append(scope, [d]);
    await stores.audit.append(scope, [c, a]);
    await stores.audit.append(scope, [b]);
    same(idsOf(await log.readBatch(10)), idsOf([d, a, c, b]), 'order');
    same(idsOf(await log.readBatch(2)), idsOf([d, a]), 'the first two');
    same(await log.readBatch(1), [d], 'bodies too');
  }),

  define('read.all_tenants', 'reads the events of every tenant', async (tools) => {
    const { stores, scope, otherScope, mine, theirs } = tools;
    const { log } = stores;
    const own = mine.event();
    const other = theirs.event();
    await stores.audit.append(scope, [own]);
    await stores.audit.append(otherScope, [other]);
    same(idsOf(await log.readBatch(10)), idsOf([own, other]), 'batch');
  }),

  define('read.repeats', 'reads the same again until it is committed, and never after', async (tools) => {
    const events = await appended(tools, 3);
    same(idsOf(await tools.stores.log.readBatch(10)), idsOf(events), 'once');
    same(idsOf(await tools.stores.log.readBatch(10)), idsOf(events), 'again');
    await tools.stores.log.commitBatch(commitOf([], events.slice(0, 2)));
    same(idsOf(await tools.stores.log.readBatch(10)), idsOf(events.slice(2)), 'the rest');
    await tools.stores.audit.append(tools.scope, events);
    same(idsOf(await tools.stores.log.readBatch(10)), idsOf(events.slice(2)), 'after a retry of the appends');
  }),

  define('read.lower_id', 'reads an event though one of a greater id has a leaf already', async (tools) => {
    const { stores, scope, mine } = tools;
    const [lower, greater] = [mine.event(), mine.event()];
    await stores.audit.append(scope, [greater]);
    status(await stores.log.commitBatch(commitOf([], [greater])), 'committed', 'the greater id');
    await stores.audit.append(scope, [lower]);
    same(idsOf(await stores.log.readBatch(10)), [lower.id], 'the lower id');
  }),

  define(
    'read.late_commit',
    'reads an event of a late transaction once it is committed, not before',
    async (tools) => {
      const { stores, scope, mine, transaction } = tools;
      const { log } = stores;
      const early = mine.event();
      const open = await present(transaction, 'transaction')();
      await open.stores.audit.append(scope, [early]);
      const between = mine.event();
      await stores.audit.append(scope, [between]);
      const during = await log.readBatch(10);
      holds(!idsOf(during).includes(early.id), 'an event was read that is not committed');
      if (during.length > 0) status(await log.commitBatch(commitOf([], during)), 'committed', 'what was visible');
      await open.commit();
      const after = await log.readBatch(10);
      same(idsOf([...during, ...after]).toSorted(), idsOf([early, between]).toSorted(), 'both, each once');
      status(await log.commitBatch(commitOf(during, after)), 'committed', 'the late one');
      same(await log.lag(), { pending: 0, lost: 0, oldestMs: 0 }, 'lag');
    },
    ['host-transaction', 'concurrency'],
  ),
];

const committing: readonly Case[] = [
  define('commit.swaps', 'swaps the head and writes leaves, tiles and checkpoint together', async (tools) => {
    const { log } = tools.stores;
    const events = await appended(tools, 5);
    const commit = commitOf([], events);
    same(await log.commitBatch(commit), { status: 'committed' }, 'answer');
    same(await log.head(), { size: 5, root: commit.root, checkpoint: commit.checkpoint }, 'head');
    same(
      await log.readLeaves(0, 10),
      events.map(({ id, body }, index) => ({ index, eventId: id, body })),
      'leaves',
    );
    same(await log.readTile(0, 0), at(commit.tiles, 0, 'tile'), 'tile');
    same(await log.checkpoints(0, 10), [{ size: 5, checkpoint: commit.checkpoint }], 'checkpoints');
    for (const [index, { id }] of events.entries()) holds((await log.leafOf(id)) === index, `leaf of event ${index}`);
  }),

  define('commit.grows', 'grows over several batches, in the order each gave', async (tools) => {
    const { log } = tools.stores;
    const events = await appended(tools, 7);
    const order = [3, 1, 2, 0, 6, 5, 4].map((i) => at(events, i, 'event'));
    const points: { size: number; checkpoint: string }[] = [];
    for (const [from, to] of [
      [0, 2],
      [2, 3],
      [3, 7],
    ] as const) {
      const commit = commitOf(order.slice(0, from), order.slice(from, to));
      same(await log.commitBatch(commit), { status: 'committed' }, `leaves ${from} to ${to}`);
      points.push({ size: to, checkpoint: commit.checkpoint });
    }
    same(
      (await log.readLeaves(0, 10)).map(({ eventId }) => eventId),
      idsOf(order),
      'leaf order',
    );
    same(
      (await log.readLeaves(2, 3)).map(({ index }) => index),
      [2, 3, 4],
      'a part',
    );
    same(await log.readLeaves(7, 3), [], 'past the end');
    same(await log.checkpoints(0, 10), points, 'checkpoints');
    same(await log.checkpoints(2, 1), points.slice(1, 2), 'after a size');
    holds((await log.readTile(0, 0))?.hashes.length === 32 * 7, 'a partial tile was not replaced by its wider self');
  }),

  define('commit.stale_size', 'answers conflict when the head moved on, and writes nothing', async (tools) => {
    const first = await committed(tools, 2);
    const more = await appended(tools, 1);
    same(await tools.stores.log.commitBatch(commitOf([], more)), { status: 'conflict' }, 'from the empty tree');
    await unchanged(tools, first);
    same(idsOf(await tools.stores.log.readBatch(10)), idsOf(more), 'still pending');
    same(await tools.stores.log.commitBatch(commitOf(first, more)), { status: 'committed' }, 'read again');
  }),

  define('commit.other_root', 'answers conflict when the root is another, though the size is right', async (tools) => {
    const first = await committed(tools, 2);
    const more = await appended(tools, 1);
    const forked = { ...commitOf(first, more), expectedRoot: sha256(Uint8Array.of(7)) };
    same(await tools.stores.log.commitBatch(forked), { status: 'conflict' }, 'another root');
    await unchanged(tools, first);
  }),

  define('commit.twice', 'answers conflict when an event has a leaf already', async (tools) => {
    const first = await committed(tools, 2);
    const [fresh] = await appended(tools, 1);
    const added = [present(fresh, 'event'), at(first, 1, 'event')];
    same(await tools.stores.log.commitBatch(commitOf(first, added)), { status: 'conflict' }, 'a leaf twice');
    await unchanged(tools, first);
    same(idsOf(await tools.stores.log.readBatch(10)), [present(fresh, 'event').id], 'the other is still pending');
  }),

  define('commit.unknown_event', 'refuses an event that is not stored', async (tools) => {
    const first = await committed(tools, 1);
    const [fresh] = await appended(tools, 1);
    const call = tools.stores.log.commitBatch(commitOf(first, [present(fresh, 'event'), tools.mine.event()]));
    await rejects(call, 'invalid_input', 'an unknown event');
    await unchanged(tools, first);
  }),

  define('commit.other_leaf_hash', 'refuses a leaf hash that is not of the stored body', async (tools) => {
    const first = await committed(tools, 1);
    const more = await appended(tools, 2);
    const commit = commitOf(first, more);
    const lied = { ...commit, leafHashes: [sha256(Uint8Array.of(9)), at(commit.leafHashes, 1, 'hash')] };
    await rejects(tools.stores.log.commitBatch(lied), 'invalid_input', 'another hash');
    const swapped = { ...commit, leafHashes: commit.leafHashes.toReversed() };
    await rejects(tools.stores.log.commitBatch(swapped), 'invalid_input', 'hashes in another order');
    const short = { ...commit, leafHashes: commit.leafHashes.slice(1) };
    await rejects(tools.stores.log.commitBatch(short), 'invalid_input', 'a hash too few');
    await unchanged(tools, first);
  }),

  define('commit.race', 'lets one of several sequencers win a batch', async (tools) => {
    const events = await appended(tools, 4);
    const answers = await Promise.all(
      events.map((_, i) => tools.stores.log.commitBatch(commitOf([], events.slice(0, i + 1)))),
    );
    const won = answers.flatMap(({ status }, i) => (status === 'committed' ? [i] : []));
    holds(won.length === 1, `${won.length} of 4 sequencers committed`);
    await unchanged(tools, events.slice(0, at(won, 0, 'winner') + 1));
  }),

  define('commit.tiles', 'keeps whole tiles of every level, told apart by level and index', async (tools) => {
    const events = await appended(tools, 2);
    const tile = (level: number, index: number, n: number): { level: number; index: number; hashes: Uint8Array } => ({
      level,
      index,
      hashes: join(Array.from({ length: n }, (_, i) => sha256(Uint8Array.of(level, index, i & 255, i >> 8)))),
    });
    const tiles = [tile(0, 0, 256), tile(0, 1, 3), tile(1, 0, 1), tile(1, 1, 256)];
    await tools.stores.log.commitBatch({ ...commitOf([], events), tiles });
    for (const one of tiles)
      same(await tools.stores.log.readTile(one.level, one.index), one, `tile ${one.level}/${one.index}`);
    holds((await tools.stores.log.readTile(2, 0)) === undefined, 'a tile that was never written');
  }),
];

const watching: readonly Case[] = [
  define('leaf_of.unsequenced', 'knows no leaf of an event that is not sequenced', async (tools) => {
    const events = await appended(tools, 2);
    holds((await tools.stores.log.leafOf(at(events, 0, 'event').id)) === undefined, 'a leaf before the commit');
    await tools.stores.log.commitBatch(commitOf([], events.slice(0, 1)));
    holds((await tools.stores.log.leafOf(at(events, 0, 'event').id)) === 0, 'leaf 0');
    holds((await tools.stores.log.leafOf(at(events, 1, 'event').id)) === undefined, 'a leaf of the other');
    holds((await tools.stores.log.leafOf(tools.mine.ids.uuid())) === undefined, 'a leaf of nothing');
  }),

  define('lag', 'counts what has no leaf, and for how long', async (tools) => {
    const { stores, advance } = tools;
    const { log } = stores;
    const old = await appended(tools, 1);
    await advance(60_000);
    const young = await appended(tools, 2);
    const before = await log.lag();
    holds(before.pending === 3, `${before.pending} pending, not 3`);
    holds(before.oldestMs >= 60_000 && before.oldestMs < 120_000, `oldest ${before.oldestMs} ms, not a minute`);
    await log.commitBatch(commitOf([], old));
    const after = await log.lag();
    holds(after.pending === 2 && after.oldestMs < 60_000, 'the oldest was sequenced, but is still counted');
    await log.commitBatch(commitOf(old, young));
    same(await log.lag(), { pending: 0, lost: 0, oldestMs: 0 }, 'nothing pending');
  }),

  define(
    'lag.lost',
    'tells of pending events that are gone, and goes on with the others',
    async (tools) => {
      const { log } = tools.stores;
      const events = await appended(tools, 4);
      const damage = present(tools.damage, 'damage');
      await damage(at(events, 0, 'event').id, undefined);
      await damage(at(events, 1, 'event').id, undefined);
      const { pending, lost } = await log.lag();
      same({ pending, lost }, { pending: 4, lost: 2 }, 'lag');
      // As many lost as the batch holds: they must not stand in the way.
      const left = events.slice(2).map(({ id }) => id);
      same((await log.readBatch(2)).map(({ id }) => id).sort(), left.sort(), 'batch');
    },
    ['direct-write'],
  ),

  define(
    'leaves.damaged',
    'shows a leaf with the body that is stored now, or with none',
    async (tools) => {
      const events = await committed(tools, 3);
      const damage = present(tools.damage, 'damage');
      const forged = tools.mine.event().body;
      await damage(at(events, 0, 'event').id, forged);
      await damage(at(events, 1, 'event').id, undefined);
      const [first, second, third] = await tools.stores.log.readLeaves(0, 10);
      same(first, { index: 0, eventId: at(events, 0, 'event').id, body: forged }, 'an altered body');
      same(second, { index: 1, eventId: at(events, 1, 'event').id }, 'a missing body');
      same(third, { index: 2, eventId: at(events, 2, 'event').id, body: at(events, 2, 'event').body }, 'the rest');
    },
    ['direct-write'],
  ),

  define(
    'outage',
    'answers store_unavailable while it is down',
    async (tools) => {
      const events = await appended(tools, 1);
      const restore = await present(tools.outage, 'outage')();
      try {
        await rejects(tools.stores.log.head(), 'store_unavailable', 'head');
        await rejects(tools.stores.log.readBatch(1), 'store_unavailable', 'readBatch');
        await rejects(tools.stores.log.commitBatch(commitOf([], events)), 'store_unavailable', 'commitBatch');
        await rejects(tools.stores.log.readLeaves(0, 1), 'store_unavailable', 'readLeaves');
        await rejects(tools.stores.log.lag(), 'store_unavailable', 'lag');
      } finally {
        await restore();
      }
      await unchanged(tools, []);
    },
    ['outage'],
  ),
];

/** What every `LogStore` must do. */
export const logStoreCases: readonly ContractCase<LogStoreContext>[] = [
  ...reading,
  ...committing,
  ...cosignCases,
  ...archiveCases,
  ...rebaseCases,
  ...strayCases,
  ...watching,
];
