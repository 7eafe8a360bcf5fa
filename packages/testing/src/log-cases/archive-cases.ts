import { type ArchiveRow, type ArchiveStore, type SealedEvent, sha256, toHex } from '@medzen/core';
import { at, holds, present, rejects, same, status } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import { createSamples } from '../samples.ts';
import type { LogStoreContext } from '../store-context.ts';
import { commitOf, define, type Tools } from './log-commit.ts';

const monthMs = 32 * 86_400_000;
const digest = sha256(Uint8Array.of(1));

/** Leaves of so many events, and then it is another month. */
async function month(tools: Tools, done: readonly SealedEvent[], count: number): Promise<readonly SealedEvent[]> {
  const events = Array.from({ length: count }, () => tools.mine.event());
  await tools.stores.audit.append(tools.scope, events);
  same(await tools.stores.log.commitBatch(commitOf(done, events)), { status: 'committed' }, 'leaves');
  await tools.advance(monthMs);
  return [...done, ...events];
}

async function archived(store: ArchiveStore): Promise<ArchiveRow> {
  const row = present(await store.begin(1000), 'a range to archive');
  status(await store.finish(row, digest), 'archived', 'finish');
  return row;
}

const spans = (rows: readonly ArchiveRow[]): readonly string[] =>
  rows.map(({ first, end, status }) => `${first}-${end} ${status}`);

/** The archive's side of the log: ranges, in order, each begun once and finished once. */
export const archiveCases: readonly ContractCase<LogStoreContext>[] = [
  define(
    'archive.months',
    'begins ranges of closed months, one after the other, each within one month',
    async (tools) => {
      const { archive } = tools.stores;
      holds((await archive.begin(10)) === undefined, 'a range of an empty log');
      let done = await month(tools, [], 3);
      done = await month(tools, done, 5);
      const fresh = tools.mine.event();
      await tools.stores.audit.append(tools.scope, [fresh]);
      await tools.stores.log.commitBatch(commitOf(done, [fresh]));
      for (const [first, end] of [
        [0, 3],
        [3, 7],
        [7, 8],
      ] as const) {
        const row = present(await archive.begin(4), `the range from ${first} on`);
        same({ first: row.first, end: row.end, status: row.status }, { first, end, status: 'begun' }, 'range');
        status(await archive.finish(row, digest), 'archived', 'finish');
      }
      holds((await archive.begin(4)) === undefined, 'a range of the month that is not over');
      same(spans(await archive.list(0, 10)), ['0-3 archived', '3-7 archived', '7-8 archived'], 'list');
      same(spans(await archive.list(3, 1)), ['3-7 archived'], 'a part of the list');
    },
  ),

  define('archive.once', 'gives everybody the range that is begun, until it is finished', async (tools) => {
    const { archive } = tools.stores;
    await month(tools, [], 5);
    const rows = await Promise.all([archive.begin(2), archive.begin(3), archive.begin(1)]);
    holds(new Set(rows.map((row) => `${row?.first}-${row?.end}`)).size === 1, 'several ranges were begun');
    const row = present(at(rows, 0, 'range'), 'range');
    const answers = await Promise.all([1, 2, 3].map(() => archive.finish(row, digest)));
    same(answers.map(({ status }) => status).toSorted(), ['archived', 'repeated', 'repeated'], 'finish');
    same(await archive.finish(row, sha256()), { status: 'conflict' }, 'another manifest');
    same(await archive.finish({ first: 900, end: 901 }, digest), { status: 'conflict' }, 'an unknown range');
    holds((await archive.begin(9))?.first === row.end, 'the next one does not follow');
  }),

  define('archive.newest', 'knows the latest instant of a range, of events or of their writing', async (tools) => {
    const late = new Date(tools.clock.now().getTime() + 3_600_000);
    const ahead = createSamples({ scope: tools.scope, clock: { now: () => late } });
    const events = [ahead.event(), tools.mine.event()];
    await tools.stores.audit.append(tools.scope, events);
    await tools.stores.log.commitBatch(commitOf([], events));
    await tools.advance(monthMs);
    same((await tools.stores.archive.begin(10))?.newestAt, late.toISOString(), 'newestAt');
  }),

  define(
    'archive.damaged',
    'begins no range whose first event is missing',
    async (tools) => {
      const events = await month(tools, [], 2);
      await present(tools.damage, 'damage')(at(events, 0, 'event').id, undefined);
      await rejects(tools.stores.archive.begin(10), 'checkpoint_inconsistent', 'a missing event');
    },
    ['direct-write'],
  ),

  define(
    'archive.purge',
    'purges a range once its years are over, with its event, and leaves its leaves',
    async (tools) => {
      const { stores, scope, advance, clock, reader } = tools;
      const events = await month(tools, [], 3);
      const purgeOf = ({ first, end }: { first: number; end: number }, years = 6) =>
        tools.mine.event({
          action: 'audit.purge',
          kind: 'delete',
          target: { type: 'audit_archive', id: `${first}-${end}` },
          detail: { first, end, years, manifestSha256: toHex(digest) },
        });
      const event = purgeOf({ first: 0, end: 3 });
      const order = (row: ArchiveRow, years = 6) => ({ first: row.first, end: row.end, manifestSha256: digest, years });
      const begun = present(await stores.archive.begin(10), 'range');
      same(await stores.archive.purge(scope, order(begun), event), { status: 'not_archived' }, 'before it is archived');
      const row = await archived(stores.archive);
      await rejects(stores.archive.purge(scope, order(row, 5), event), 'invalid_input', 'five years');
      same(await stores.archive.purge(scope, order(row), event), { status: 'too_young' }, 'too soon');
      const until = new Date(row.newestAt);
      until.setUTCFullYear(until.getUTCFullYear() + 6);
      await advance(until.getTime() - clock.now().getTime() - 1);
      same(await stores.archive.purge(scope, order(row), event), { status: 'too_young' }, 'a millisecond too soon');
      await advance(1);
      const other = { ...order(row), manifestSha256: sha256() };
      same(await stores.archive.purge(scope, other, event), { status: 'not_archived' }, 'another manifest');
      for (const [wrong, why] of [
        [tools.mine.event(), 'another event'],
        [tools.mine.event({ action: 'audit.purge', kind: 'delete' }), 'an event that does not say what was purged'],
        [purgeOf({ first: 0, end: 2 }), 'the event of another range'],
        [purgeOf({ first: 0, end: 3 }, 7), 'other years than the order’s'],
      ] as const)
        await rejects(stores.archive.purge(scope, order(row), wrong), 'invalid_input', why);
      holds((await reader.countEvents()) === 3, 'events are gone, or there are more');
      same(await stores.archive.purge(scope, order(row), event), { status: 'purged' }, 'in time');
      same(
        await stores.archive.purge(scope, order(row), tools.mine.event({ action: 'audit.purge' })),
        { status: 'repeated' },
        'again',
      );
      holds((await reader.countEvents()) === 1, 'what is left is not the event of the purge alone');
      same(
        await stores.log.readLeaves(0, 10),
        events.map(({ id }, index) => ({ index, eventId: id })),
        'leaves, while nothing proves the purge',
      );
      same(await stores.log.commitBatch(commitOf(events, [event])), { status: 'committed' }, 'the leaf of the purge');
      same(
        (await stores.log.readLeaves(0, 10)).slice(0, 3),
        events.map(({ id }, index) => ({ index, eventId: id, purged: true })),
        'leaves',
      );
      same((await stores.archive.list(0, 1))[0]?.purgeEventId, event.id, 'the event of the purge');
      await rejects(stores.audit.append(scope, [at(events, 1, 'event')]), 'audit_conflict', 'a purged event once more');
    },
    ['owner'],
  ),

  define(
    'archive.purge_provable',
    'keeps what explains absences, and waits while nothing that stays could prove a range’s age',
    async (tools) => {
      const { stores, scope, advance, clock } = tools;
      const events = await month(tools, [], 2);
      const erasure = tools.mine.event({
        action: 'identity.erase',
        kind: 'delete',
        target: { type: 'identity', id: 'x' },
      });
      await stores.audit.append(scope, [erasure]);
      const later = [...events, erasure];
      same(await stores.log.commitBatch(commitOf(events, [erasure])), { status: 'committed' }, 'leaves');
      await advance(monthMs);
      await archived(stores.archive);
      const second = await archived(stores.archive);
      const until = new Date(second.newestAt);
      until.setUTCFullYear(until.getUTCFullYear() + 6);
      await advance(until.getTime() - clock.now().getTime());
      const fresh = tools.mine.event();
      await stores.audit.append(scope, [fresh]);
      same(await stores.log.commitBatch(commitOf(later, [fresh])), { status: 'committed' }, 'a leaf of today');
      const purge = (first: number, end: number) =>
        stores.archive.purge(
          scope,
          { first, end, years: 6, manifestSha256: digest },
          tools.mine.event({
            action: 'audit.purge',
            kind: 'delete',
            target: { type: 'audit_archive', id: `${first}-${end}` },
            detail: { first, end, years: 6, manifestSha256: toHex(digest) },
          }),
        );
      same(await purge(2, 3), { status: 'too_young' }, 'a range before what happened today');
      same(await purge(0, 2), { status: 'purged' }, 'a range before one that is old, too');
      const left = (await stores.log.readLeaves(0, 10)).map(({ body }) => body !== undefined);
      same(left, [false, false, true, true], 'what is left');
      await advance(6 * 366 * 86_400_000);
      same(await purge(2, 3), { status: 'purged' }, 'the range of the erasure');
      holds((await stores.log.readLeaves(2, 1))[0]?.body !== undefined, 'the erasure was purged');
    },
    ['owner'],
  ),
];
