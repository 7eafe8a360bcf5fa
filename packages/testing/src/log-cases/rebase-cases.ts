import { type SealedEvent, sha256 } from '@medzen/core';
import { at, holds, present, rejects, same } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import { modelLeaf, modelRoot } from '../merkle-model.ts';
import type { LogStoreContext } from '../store-context.ts';
import { appended, commitOf, committed, define, type Tools } from './log-commit.ts';

const rebaseEvent = ({ mine }: Tools, action = 'audit.rebase', type: 'service' | 'user' = 'service'): SealedEvent =>
  mine.event({ action, kind: 'execute', actor: { id: 'medzen.rebase', type }, reason: 'a restore from backup' });

/** Nothing was written: neither the event nor a leaf. */
async function untouched(tools: Tools, event: SealedEvent, done: readonly SealedEvent[]): Promise<void> {
  const { size, root } = await tools.stores.log.head();
  same(
    { size, root },
    { size: done.length, root: modelRoot(done.map(({ body }) => modelLeaf(body))) },
    'the head moved',
  );
  same(await tools.reader.eventsFor(event.id), [], 'the event was written');
  holds((await tools.stores.log.leafOf(event.id)) === undefined, 'the event has a leaf');
}

/** How a log goes on under another origin. */
export const rebaseCases: readonly ContractCase<LogStoreContext>[] = [
  define('rebase.commits', 'writes the event of a rebase and makes it the next leaf, in one step', async (tools) => {
    const { log } = tools.stores;
    const done = await committed(tools, 2);
    const waiting = await appended(tools, 1);
    const event = rebaseEvent(tools);
    const commit = commitOf(done, [event]);
    same(await log.commitRebase(tools.scope, event, commit), { status: 'committed' }, 'answer');
    same(await log.head(), { size: 3, root: commit.root, checkpoint: commit.checkpoint }, 'head');
    same(await log.readLeaves(2, 5), [{ index: 2, eventId: event.id, body: event.body }], 'the leaf');
    same(
      (await log.readBatch(10)).map(({ id }) => id),
      waiting.map(({ id }) => id),
      'what was waiting waits still, and nothing else',
    );
    const found = await tools.stores.audit.search(tools.scope, { action: 'audit.rebase' });
    same(
      found.events.map(({ id }) => id),
      [event.id],
      'searches find it',
    );
    const next = commitOf([...done, event], waiting);
    same(await log.commitBatch(next), { status: 'committed' }, 'the log goes on');
  }),

  define('rebase.empty', 'writes it as the first leaf of a log that lost all', async (tools) => {
    const event = rebaseEvent(tools);
    const commit = commitOf([], [event]);
    same(await tools.stores.log.commitRebase(tools.scope, event, commit), { status: 'committed' }, 'answer');
    holds((await tools.stores.log.leafOf(event.id)) === 0, 'not the first leaf');
  }),

  define('rebase.stale', 'answers conflict when the head is another, and writes nothing', async (tools) => {
    const done = await committed(tools, 2);
    const event = rebaseEvent(tools);
    const { log } = tools.stores;
    same(await log.commitRebase(tools.scope, event, commitOf([], [event])), { status: 'conflict' }, 'another size');
    const forked = { ...commitOf(done, [event]), expectedRoot: sha256(Uint8Array.of(7)) };
    same(await log.commitRebase(tools.scope, event, forked), { status: 'conflict' }, 'another root');
    await untouched(tools, event, done);
  }),

  define('rebase.race', 'lets one of several rebases win, and keeps the event of no other', async (tools) => {
    const done = await committed(tools, 1);
    const events = [rebaseEvent(tools), rebaseEvent(tools), rebaseEvent(tools)];
    const answers = await Promise.all(
      events.map((event) => tools.stores.log.commitRebase(tools.scope, event, commitOf(done, [event]))),
    );
    const won = answers.flatMap(({ status }, i) => (status === 'committed' ? [at(events, i, 'event')] : []));
    holds(won.length === 1, `${won.length} of 3 rebases were committed`);
    for (const event of events.filter((one) => one !== won[0]))
      same(await tools.reader.eventsFor(event.id), [], 'the event of a rebase that lost');
    const head = await tools.stores.log.head();
    same(head.root, commitOf(done, [present(won[0], 'winner')]).root, 'root');
  }),

  define('rebase.other_event', 'refuses what is no event of a rebase, and writes nothing', async (tools) => {
    const done = await committed(tools, 1);
    const { log } = tools.stores;
    for (const event of [rebaseEvent(tools, 'audit.verify'), rebaseEvent(tools, 'audit.rebase', 'user')]) {
      const call = log.commitRebase(tools.scope, event, commitOf(done, [event]));
      await rejects(call, 'invalid_input', 'an event of another kind');
      await untouched(tools, event, done);
    }
    const event = rebaseEvent(tools);
    const [waiting] = await appended(tools, 1);
    const two = commitOf(done, [event, present(waiting, 'event')]);
    await rejects(log.commitRebase(tools.scope, event, two), 'invalid_input', 'another event beside it');
    const lied = { ...commitOf(done, [event]), leafHashes: [sha256(Uint8Array.of(9))] };
    await rejects(log.commitRebase(tools.scope, event, lied), 'invalid_input', 'another leaf hash');
    const foreign = log.commitRebase(tools.otherScope, event, commitOf(done, [event]));
    await rejects(foreign, 'invalid_input', 'an event of another tenant');
    await untouched(tools, event, done);
  }),
];
