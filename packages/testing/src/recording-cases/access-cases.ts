import type { RecordingState } from '@medzen/core';
import { at, fail, holds, present, rejects, same, status } from '../assertions.ts';
import { define, drive, idsOf, type RecordingCase, states } from './recording-driver.ts';

/** `get`, `findByProviderRef`, `list` and `noteAccess`. */
export const accessCases: readonly RecordingCase[] = [
  define('get.absent', 'finds nothing where there is nothing', async ({ stores, scope, mine }) => {
    holds((await stores.recordings.get(scope, mine.ids.uuid())) === undefined, 'get');
    holds((await stores.recordings.findByProviderRef(scope, 'twilio', 'RM-none')) === undefined, 'by reference');
    same(await stores.recordings.list(scope, {}), { recordings: [] }, 'list');
  }),

  define('find.by_ref', 'finds by provider and reference together', async (tools) => {
    const { stores, scope } = tools;
    const recording = await drive(tools).started({ provider: 'twilio', providerRef: 'RM1' });
    same(await stores.recordings.findByProviderRef(scope, 'twilio', 'RM1'), recording, 'both');
    holds((await stores.recordings.findByProviderRef(scope, 'livekit', 'RM1')) === undefined, 'another provider');
    holds((await stores.recordings.findByProviderRef(scope, 'twilio', 'RM2')) === undefined, 'another reference');
  }),

  define('list.filters', 'lists by each member, and by all that are given', async (tools) => {
    const { stores, scope, clock } = tools;
    const driver = drive(tools);
    const plain = await driver.inState('uploading');
    const participants = [
      { id: 'guest-9', role: 'guest' },
      { id: 'provider-1', role: 'provider' },
    ] as const;
    const special = await driver.moved(await driver.started({ sessionId: 's9', patient: 'p9', participants }), {
      to: 'failed',
      failure: { code: 'provider_failed', at: clock.now().toISOString(), attempts: 1 },
    });
    const members = {
      sessionId: 's9',
      patient: 'p9',
      state: 'failed',
      participant: 'guest-9',
      failureCode: 'provider_failed',
    } as const;
    for (const [name, value] of Object.entries(members)) {
      const { recordings } = await stores.recordings.list(scope, { [name]: value });
      same(idsOf(recordings), [special.id], `by ${name}`);
    }
    same((await stores.recordings.list(scope, members)).recordings, [special], 'by all');
    same((await stores.recordings.list(scope, { ...members, patient: 'patient-1' })).recordings, [], 'all must match');
    const both = await stores.recordings.list(scope, { participant: 'provider-1' });
    same(idsOf(both.recordings).toSorted(), [plain.id, special.id].toSorted(), 'a participant of both');
    same((await stores.recordings.list(scope, { participant: 'guest' })).recordings, [], 'a part of a name');
  }),

  define('list.pages', 'lists the newest first, in pages that stay stable while others start', async (tools) => {
    const { stores, scope, advance } = tools;
    const driver = drive(tools);
    const wanted: string[] = [];
    for (let i = 0; i < 5; i++) {
      wanted.unshift((await driver.started({ patient: 'p' })).id);
      // Two of them start at the same instant: the id decides.
      if (i !== 2) await advance(1000);
    }
    for (const limit of [1, 2, 3, 5]) {
      const found: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        if (++pages > 40) fail('the pages do not end');
        const page = await stores.recordings.list(scope, {
          patient: 'p',
          limit,
          ...(cursor === undefined ? {} : { cursor }),
        });
        found.push(...idsOf(page.recordings));
        cursor = page.cursor;
        await advance(1000);
        await driver.started({ patient: 'p' });
      } while (cursor !== undefined);
      same(found.slice(-5), wanted, `in pages of ${limit}`);
      holds(new Set(found).size === found.length, `one came twice in pages of ${limit}`);
    }
  }),

  define('list.limit', 'gives 50 when nothing is said, and refuses a bad limit or a foreign cursor', async (tools) => {
    const { stores, scope, otherScope, theirs } = tools;
    const driver = drive(tools);
    for (let i = 0; i < 51; i++) await driver.started();
    const page = await stores.recordings.list(scope, {});
    holds(page.recordings.length === 50, `${page.recordings.length} by default`);
    holds((await stores.recordings.list(scope, { limit: 200 })).cursor === undefined, 'a cursor on the last page');
    for (const limit of [0, -1, 201, 1.5])
      await rejects(stores.recordings.list(scope, { limit }), 'invalid_input', `limit ${limit}`);
    for (const cursor of ['', 'x', "'; --", '{}'])
      await rejects(stores.recordings.list(scope, { cursor }), 'invalid_input', 'a made-up cursor');
    for (let i = 0; i < 2; i++) await stores.recordings.start(otherScope, theirs.newRecording(), [], theirs.event());
    const theirPage = await stores.recordings.list(otherScope, { limit: 1 });
    await rejects(
      stores.recordings.list(scope, { cursor: present(theirPage.cursor, 'cursor') }),
      'invalid_input',
      "another tenant's cursor",
    );
  }),

  define('access.counted', 'counts views and downloads, each with its event', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const recording = await drive(tools).inState('available');
    for (const kind of ['view', 'view', 'download'] as const) {
      const event = mine.event({ action: `recording.${kind}` });
      status(await stores.recordings.noteAccess(scope, recording.id, kind, event), 'noted', kind);
      holds((await reader.eventsFor(event.id)).length === 1, `the event of a ${kind} is missing`);
    }
    const { views, downloads } = await drive(tools).fresh(recording);
    same({ views, downloads }, { views: 2, downloads: 1 }, 'counters');
  }),

  define('access.retried', 'counts a retry of the same access once', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const recording = await drive(tools).inState('available');
    const event = mine.event({ action: 'recording.download' });
    for (let attempt = 1; attempt <= 3; attempt++)
      status(await stores.recordings.noteAccess(scope, recording.id, 'download', event), 'noted', `attempt ${attempt}`);
    const { downloads } = await drive(tools).fresh(recording);
    same(downloads, 1, 'downloads');
    holds((await reader.eventsFor(event.id)).length === 1, 'one event');
  }),

  define('access.clock', "shows the store's own clock", async ({ stores, clock, advance }) => {
    same(await stores.recordings.clock(), clock.now(), 'at first');
    await advance(90_061_001);
    same(await stores.recordings.clock(), clock.now(), 'after it moved');
  }),

  define('access.not_available', 'counts nothing in any other state, and writes nothing', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const playable: readonly RecordingState[] = ['available', 'archived', 'deleting'];
    for (const state of [...states.filter((one) => !playable.includes(one)), 'removing'] as const) {
      let recording = await driver.inState(state === 'removing' ? 'available' : state);
      if (state === 'removing') {
        const expired = await driver.expired();
        await driver.removing(expired);
        recording = await driver.fresh(expired);
      }
      const event = mine.event();
      const result = await stores.recordings.noteAccess(scope, recording.id, 'view', event);
      same(status(result, 'not_available', state).recording, recording, state);
      await driver.untouched(recording, event, state);
    }
    const before = await reader.countEvents();
    same(
      await stores.recordings.noteAccess(scope, mine.ids.uuid(), 'view', mine.event()),
      { status: 'not_found' },
      'unknown',
    );
    holds((await reader.countEvents()) === before, 'an event of nothing');
  }),

  define(
    'access.while_stored',
    'counts as long as the media is whole: in the grace, held, and not yet removed',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const driver = drive(tools);
      for (const state of ['available', 'archived', 'deleting'] as const) {
        const recording = await driver.inState(state);
        await driver.placed({ recordingId: recording.id });
        const result = await stores.recordings.noteAccess(scope, recording.id, 'download', mine.event());
        same(status(result, 'noted', state).recording.downloads, 1, state);
      }
    },
  ),

  define('access.at_once', 'loses no count when many watch at once', async (tools) => {
    const { stores, scope, mine } = tools;
    const recording = await drive(tools).inState('available');
    await Promise.all(
      Array.from({ length: 12 }, () => stores.recordings.noteAccess(scope, recording.id, 'view', mine.event())),
    );
    const { views } = await drive(tools).fresh(recording);
    holds(views === 12, `${views} views of 12`);
  }),

  define(
    'access.durable',
    "is durable when it resolves, whatever becomes of the host's transaction",
    async (tools) => {
      const { scope, reader, mine } = tools;
      const recording = await drive(tools).inState('available');
      const event = mine.event();
      const open = await present(tools.transaction, 'transaction')();
      status(await open.stores.recordings.noteAccess(scope, recording.id, 'view', event), 'noted', 'inside');
      holds((await reader.eventsFor(event.id)).length === 1, 'not yet stored when it resolved');
      await open.rollback();
      holds((await reader.eventsFor(event.id)).length === 1, 'gone with the rollback');
      const after = await drive(tools).fresh(recording);
      holds(after.views === 1, 'the count went with the rollback');
    },
    ['host-transaction', 'concurrency'],
  ),

  define('list.order_of_first', 'lists the very newest on the first page', async (tools) => {
    const { stores, scope, advance } = tools;
    const driver = drive(tools);
    await driver.started();
    await advance(1);
    const newest = await driver.started();
    const { recordings } = await stores.recordings.list(scope, { limit: 1 });
    same(at(recordings, 0, 'recording').id, newest.id, 'first');
  }),
];
