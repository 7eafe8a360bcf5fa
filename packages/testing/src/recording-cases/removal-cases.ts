import type { Recording } from '@medzen/core';
import { at, holds, present, rejects, same, status } from '../assertions.ts';
import {
  claimedIds,
  define,
  drive,
  due,
  intentOf,
  lease,
  minute,
  type RecordingCase,
  removalOf,
  rules,
} from './recording-driver.ts';

const media = { ref: 'media', size: 65_536 };
const marker = { ref: 'marker', size: 0 };

/** What is noted of a removal, the way back before it, and what keeps a deletion waiting. */
export const removalCases: readonly RecordingCase[] = [
  define('begin.why', 'keeps who began a deletion, why, on which rules, and from where', async (tools) => {
    const { stores, scope } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const { by, reason, ruleIds, citations, now } = intentOf(await driver.begun(recording));
    const { deletion } = await driver.fresh(recording);
    same(
      deletion,
      {
        from: 'available',
        basis: 'retention',
        startedAt: now.toISOString(),
        startedBy: by,
        reason,
        ruleIds,
        citations,
        versions: 0,
        bytes: 0,
      },
      'deletion',
    );
    const { recordings } = await stores.recordings.list(scope, { state: 'deleting' });
    same(recordings[0]?.deletion, deletion, 'listed');
  }),

  define('removal.counts', 'counts each version once, whoever notes it, and not what is there still', async (tools) => {
    const { stores, scope, advance } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const first = await driver.begun(recording);
    const noted = async (claim: typeof first, more: object) => {
      const result = await stores.recordings.noteRemoval(scope, recording.id, { ...removalOf(claim), ...more });
      const { deletion } = status(result, 'noted', JSON.stringify(more)).recording;
      return [deletion?.versions, deletion?.bytes];
    };
    same(await noted(first, { removing: [media, marker] }), [2, 65_536], 'two');
    same(await noted(first, { removing: [media] }), [2, 65_536], 'one of them again');
    // The worker dies; the next one finds the marker still there, removes it again, and one more.
    await advance(5 * minute);
    const second = await driver.claimedExpired(recording);
    holds(second.recording.deletion?.versions === 2, 'the next worker does not see the count');
    same(await noted(second, { kept: ['marker', 'unknown'] }), [1, 65_536], 'kept');
    same(await noted(second, { removing: [marker, { ref: 'other', size: 3 }] }), [3, 65_539], 'removed after all');
    const many = Array.from({ length: 1000 }, (_, i) => ({ ref: `v${i}`, size: 2_000_000_000 }));
    same(await noted(second, { removing: many }), [1003, 2_000_000_065_539], 'a thousand large ones');
    const more = { ...removalOf(second), removing: [...many, media] };
    await rejects(stores.recordings.noteRemoval(scope, recording.id, more), 'invalid_input', '1001 at once');
    const lost = await stores.recordings.noteRemoval(scope, recording.id, { ...removalOf(first), removing: [media] });
    same(lost, { status: 'lease_lost' }, 'the first worker');
  }),

  define('removal.first', 'refuses the first removal when something says keep, and no later one', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const ways: readonly (readonly [string, (id: string) => Promise<unknown>])[] = [
      ['held', (id) => driver.placed({ recordingId: id })],
      [
        'access_requested',
        (id) => stores.recordings.openAccessRequest(scope, mine.accessRequest({ recordingId: id }), mine.event()),
      ],
      ['stale', () => driver.noted('stale')],
    ];
    for (const [expected, keep] of ways) {
      const begun = await driver.expired({}, { patient: expected });
      const claim = await driver.begun(begun);
      await keep(begun.id);
      for (const removal of [{ removing: [media] }, { provider: true }]) {
        const given = { ...removalOf(claim), ...removal };
        same(await stores.recordings.noteRemoval(scope, begun.id, given), { status: expected }, expected);
      }
      same((await driver.fresh(begun)).deletion?.versions, 0, `${expected}: counted`);
      holds((await driver.fresh(begun)).deletion?.providerAsked !== true, `${expected}: the provider`);
      await driver.withdrawn(begun);
    }
    const other = await driver.begun(await driver.expired());
    const rulesOf = { ...removalOf(other), rulesVersion: 'rules-2', removing: [media] };
    same(await stores.recordings.noteRemoval(scope, other.recording.id, rulesOf), { status: 'stale' }, 'other rules');
    const going = await driver.expired({}, { patient: 'gone' });
    const claim = await driver.removing(going);
    await driver.placed({ patient: 'gone' });
    await driver.noted('gone');
    const rest = { ...removalOf(claim), removing: [media, marker] };
    status(await stores.recordings.noteRemoval(scope, going.id, rest), 'noted', 'the rest');
  }),

  define('removal.not_begun', 'notes nothing of what is not being deleted', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const claim = await driver.claimedExpired(recording);
    const removal = { ...removalOf(claim), removing: [media] };
    same(await stores.recordings.noteRemoval(scope, recording.id, removal), { status: 'not_begun' }, 'claimed');
    same(await stores.recordings.noteRemoval(scope, mine.ids.uuid(), removal), { status: 'not_found' }, 'unknown');
    const cancel = { token: claim.token, at: mine.decision().decidedAt, failureCode: 'locked' };
    const event = mine.event();
    const answer = await stores.recordings.cancelDeletion(scope, recording.id, cancel, event);
    same(answer, { status: 'not_begun' }, 'cancel');
    await driver.untouched(recording, event, 'cancel');
  }),

  define('cancel', 'takes a deletion back to where the recording was, and offers it again later', async (tools) => {
    const { stores, scope, mine, reader, advance } = tools;
    const driver = drive(tools);
    const decidedLate = { decidedAt: '2033-06-01T00:00:00.000Z' };
    const ways: readonly (() => Promise<Recording>)[] = [
      () => driver.expired(),
      async () => driver.warned(await driver.decided(await driver.inState('archived'), decidedLate)),
      async () => driver.warned(await driver.decided(await driver.inState('failed'))),
    ];
    for (const make of ways) {
      const recording = await make();
      const { token } = await driver.begun(recording);
      const event = mine.event({ action: 'recording.delete_cancel' });
      const cancel = { token, at: '2034-01-02T00:00:00.000Z', failureCode: 'locked' };
      const result = await stores.recordings.cancelDeletion(scope, recording.id, cancel, event);
      const { revision, ...back } = status(result, 'canceled', recording.state).recording;
      const { revision: _, ...before } = { ...recording, stateAt: cancel.at };
      same(back, before, `back to ${recording.state}`);
      holds(revision > recording.revision, 'the revision did not grow');
      holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
      const again = await stores.recordings.cancelDeletion(scope, recording.id, cancel, mine.event());
      same(again, { status: 'lease_lost' }, 'the claim has ended');
      same(await stores.recordings.claimExpired(scope, due, rules, lease), [], 'at once');
      await advance(minute);
      const claims = await stores.recordings.claimExpired(scope, due, rules, lease);
      same(claimedIds(claims), [recording.id], 'a minute later');
      holds(at(claims, 0, 'claim').attempts === 2, 'the attempt was not counted');
      await driver.placed({ recordingId: recording.id });
    }
  }),

  define('cancel.kept', 'takes an archived recording back to available when its decision keeps it', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const archived = await driver.warned(
      await driver.decided(await driver.inState('archived'), { decidedAt: '2033-06-01T00:00:00.000Z' }),
    );
    const { token } = await driver.begun(archived);
    const moved = { retainUntil: '2040-01-01T00:00:00.000Z', graceUntil: '2040-04-01T00:00:00.000Z' };
    status(
      await stores.recordings.saveDecision(scope, archived.id, mine.decision(moved), mine.event()),
      'saved',
      'moved',
    );
    const cancel = { token, at: '2034-01-02T00:00:00.000Z', failureCode: 'not_due' };
    const result = await stores.recordings.cancelDeletion(scope, archived.id, cancel, mine.event());
    same(status(result, 'canceled', 'cancel').recording.state, 'available', 'state');
  }),

  define('cancel.beyond_recall', 'takes nothing back once something was removed', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    for (const removal of [{ removing: [marker] }, { provider: true }]) {
      const recording = await driver.expired();
      const claim = await driver.begun(recording);
      await stores.recordings.noteRemoval(scope, recording.id, { ...removalOf(claim), ...removal });
      const before = await driver.fresh(recording);
      const event = mine.event();
      const cancel = { token: claim.token, at: mine.decision().decidedAt, failureCode: 'locked' };
      const answer = await stores.recordings.cancelDeletion(scope, recording.id, cancel, event);
      same(answer, { status: 'beyond_recall' }, JSON.stringify(removal));
      await driver.untouched(before, event, JSON.stringify(removal));
      for (const to of ['available', 'archived', 'failed'] as const) {
        const change = { expectedRevision: before.revision, to, at: cancel.at };
        const changed = await stores.recordings.change(scope, recording.id, change, mine.event());
        status(changed, 'invalid_transition', `by a change to ${to}`);
      }
    }
  }),

  define(
    'finish.kept',
    'writes no tombstone where nothing had to be removed and something says keep',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const driver = drive(tools);
      const ended = await driver.moved(await driver.inState('failed'), { to: 'deleting' });
      const { token } = await driver.claimedExpired(ended);
      const finish = (event = mine.event()) =>
        stores.recordings.finishDeletion(scope, ended.id, token, mine.tombstone(), event);
      const hold = await driver.placed({ recordingId: ended.id });
      const held = await driver.fresh(ended);
      const event = mine.event();
      same(await finish(event), { status: 'held' }, 'a hold');
      await driver.untouched(held, event, 'a hold');
      await stores.recordings.releaseHold(scope, hold.id, 'counsel', hold.placedAt, mine.event());
      const request = mine.accessRequest({ recordingId: ended.id });
      await stores.recordings.openAccessRequest(scope, request, mine.event());
      same(await finish(), { status: 'access_requested' }, 'a request');
      const closing = { at: request.dueAt, by: 'records', outcome: 'provided' } as const;
      await stores.recordings.closeAccessRequest(scope, request.id, closing, mine.event());
      const { deletion, lock } = status(await finish(), 'finished', 'free').recording;
      same([deletion, lock], [undefined, undefined], 'what is left of the deletion');
    },
  ),

  define('lock', 'keeps what the object store told of a lock, and forgets it again', async (tools) => {
    const { stores, scope } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const { token } = await driver.claimedExpired(recording);
    const lock = {
      checkedAt: '2034-01-01T00:00:00.000Z',
      lockedUntil: '2036-01-01T00:00:00.000Z',
      mode: 'compliance',
    } as const;
    same(await stores.recordings.noteLock(scope, recording.id, token, lock), { status: 'noted' }, 'noted');
    same((await driver.fresh(recording)).lock, lock, 'kept');
    same(await stores.recordings.noteLock(scope, recording.id, '0', null), { status: 'lease_lost' }, 'of another');
    same(await stores.recordings.noteLock(scope, recording.id, token, null), { status: 'noted' }, 'lifted');
    same((await driver.fresh(recording)).lock, undefined, 'forgotten');
    const uploading = await driver.inState('uploading');
    const storage = { store: 's3', bucket: 'recordings-eu', region: 'eu-central-1', storageClass: 'GLACIER_IR' };
    const moved = await driver.moved(uploading, { to: 'available', storage, lock });
    same([moved.storage, moved.lock], [storage, lock], 'by a change');
  }),

  define('expired.failed_last', 'puts what failed behind what has waited as long', async (tools) => {
    const { stores, scope, advance, clock } = tools;
    const driver = drive(tools);
    const soon = (ms: number) => new Date(clock.now().getTime() + ms).toISOString();
    const poison = await driver.expired({ warnAt: soon(-10 * minute), graceUntil: soon(-3 * minute) });
    const deleting = await driver.expired({ warnAt: soon(-10 * minute), graceUntil: soon(-2 * minute) });
    await driver.begun(deleting);
    await advance(2000);
    const claim = async () => {
      const claims = await stores.recordings.claimExpired(scope, due, rules, { limit: 1, leaseMs: 1000 });
      return claims[0];
    };
    // The notice of both is as long as was meant: seven and eight minutes from now.
    await advance(10 * minute);
    for (const one of [await claim(), await claim()]) {
      const { recording, token } = present(one, 'a claim');
      holds([poison.id, deleting.id].includes(recording.id), 'another one');
      await stores.recordings.releaseClaim(scope, recording.id, token, 'timeout');
    }
    const late = await driver.expired({ warnAt: soon(-10 * minute), graceUntil: soon(-minute) });
    holds(Date.parse(late.deletableAt ?? '') < due.getTime(), 'not due');
    await advance(11 * minute);
    const order = [(await claim())?.recording.id, (await claim())?.recording.id, (await claim())?.recording.id];
    same(order.toSorted(), [poison.id, deleting.id, late.id].toSorted(), 'each has its turn');
  }),

  define(
    'postponed',
    'leaves a row alone for a while that failed, longer each time, and tells how many',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const store = stores.recordings;
      const driver = drive(tools);
      const now = new Date('2033-05-01T00:00:00.000Z');
      const after = (minutes: number) => new Date(now.getTime() + minutes * minute);
      const made = [
        await driver.decided(await driver.inState('available')),
        await driver.decided(await driver.inState('available')),
      ];
      const failure = { code: 'provider_copy_remains', at: '2026-01-01T00:00:00.000Z', attempts: 0 };
      for (const one of made) await driver.moved(one, { failure });
      const first = at(made, 0, 'made');
      const second = at(made, 1, 'made');
      const queues = {
        warning: (time: Date) => store.dueWarnings(scope, time, 10),
        archive: (time: Date) => store.dueArchives(scope, time, rules, 10),
        discard: (time: Date) => store.dueDiscards(scope, failure.code, time, 10),
      } as const;
      const nothing = { warning: 0, archive: 0, discard: 0, deletion: 0 };
      same(await store.countPostponed(scope, now), nothing, 'none');
      for (const queue of ['warning', 'archive', 'discard'] as const) {
        const ids = async (time: Date) => (await queues[queue](time)).map(({ id }) => id).toSorted();
        same(await ids(now), [first.id, second.id].toSorted(), `${queue}: both`);
        const put = await store.postpone(scope, first.id, queue, 'timeout', now);
        same(put, { attempts: 1, until: after(1).toISOString() }, `${queue}: once`);
        same(await ids(now), [second.id], `${queue}: one is left alone`);
        same(await store.countPostponed(scope, now), { ...nothing, [queue]: 1 }, `${queue}: counted`);
        same(await ids(after(1)), [first.id, second.id].toSorted(), `${queue}: a minute later`);
        same(await store.countPostponed(scope, after(1)), nothing, `${queue}: counted a minute later`);
        const again = await store.postpone(scope, first.id, queue, 'timeout', now);
        same(again, { attempts: 2, until: after(4).toISOString() }, `${queue}: twice`);
        for (let i = 0; i < 60; i++) await store.postpone(scope, first.id, queue, 'timeout', now);
        same(await ids(after(1439)), [second.id], `${queue}: most of a day`);
        same(await ids(after(1440)), [first.id, second.id].toSorted(), `${queue}: no more than a day`);
        if (queue === 'warning') await driver.warned(first);
        else if (queue === 'archive') await driver.moved(await driver.fresh(first), { to: 'archived' });
        else await driver.moved(await driver.fresh(first), { failure: null });
        same(await store.countPostponed(scope, now), nothing, `${queue}: done`);
      }
      same(await store.postpone(scope, mine.ids.uuid(), 'warning', 'timeout', now), undefined, 'unknown');
      const expired = await driver.expired({}, { patient: 'p' });
      const { token } = await driver.claimedExpired(expired);
      same((await store.countPostponed(scope, due)).deletion, 0, 'being worked on');
      await store.releaseClaim(scope, expired.id, token, 'timeout');
      same((await store.countPostponed(scope, due)).deletion, 1, 'failed');
    },
  ),

  define('postponed.rotates', 'lists what failed behind what has been due for longer since', async (tools) => {
    const { stores, scope } = tools;
    const store = stores.recordings;
    const driver = drive(tools);
    const failure = { code: 'provider_copy_remains', at: '2026-01-01T00:00:00.000Z', attempts: 0 };
    const now = new Date('2033-05-01T00:00:00.000Z');
    const nextDay = new Date(now.getTime() + 1440 * minute);
    const failing = await driver.decided(await driver.inState('available'));
    await tools.advance(1000);
    const behind = await driver.decided(await driver.inState('available'));
    for (const one of [failing, behind]) await driver.moved(one, { failure });
    const queues = {
      warning: (time: Date, limit: number) => store.dueWarnings(scope, time, limit),
      archive: (time: Date, limit: number) => store.dueArchives(scope, time, rules, limit),
      discard: (time: Date, limit: number) => store.dueDiscards(scope, failure.code, time, limit),
    } as const;
    for (const queue of ['warning', 'archive', 'discard'] as const) {
      const ids = async (time: Date, limit: number) => (await queues[queue](time, limit)).map(({ id }) => id);
      same(await ids(now, 1), [failing.id], `${queue}: the oldest first`);
      for (let i = 0; i < 60; i++) await store.postpone(scope, failing.id, queue, 'timeout', now);
      same(await ids(nextDay, 1), [behind.id], `${queue}: a day later, the one behind it`);
      same(await ids(nextDay, 2), [behind.id, failing.id], `${queue}: then the one that failed`);
    }
  }),

  define('discards.oldest', 'lists copies that remain, the oldest first, archived ones too', async (tools) => {
    const { stores, scope } = tools;
    const driver = drive(tools);
    const failure = { code: 'provider_copy_remains', at: '2026-01-01T00:00:00.000Z', attempts: 0 };
    const younger = await driver.inState('available', { startedAt: '2026-01-02T00:00:00.000Z' });
    const older = await driver.inState('archived', { startedAt: '2026-01-01T00:00:00.000Z' });
    const none = await driver.inState('available', { startedAt: '2026-01-01T00:00:00.000Z' });
    for (const one of [younger, older]) await driver.moved(one, { failure });
    await driver.moved(none, { failure: { ...failure, code: 'other' } });
    const ids = async (limit: number) =>
      (await stores.recordings.dueDiscards(scope, failure.code, due, limit)).map(({ id }) => id);
    same(await ids(10), [older.id, younger.id], 'both');
    same(await ids(1), [older.id], 'the oldest');
  }),
];
