import { holds, present, rejects, same, status } from '../assertions.ts';
import { claimedIds, define, drive, due, intentOf, lease, type RecordingCase, rules } from './recording-driver.ts';

const day = 86_400_000;

/** Access requests: they keep what they cover, fall due, are extended once and closed once. */
export const accessRequestCases: readonly RecordingCase[] = [
  define('access_request.open', 'keeps every member, counts on the recording, and stops a deletion', async (tools) => {
    const { stores, scope, reader, mine, clock } = tools;
    const store = stores.recordings;
    const driver = drive(tools);
    const recording = await driver.expired();
    const request = mine.accessRequest({ recordingId: recording.id });
    const event = mine.event({ action: 'access_request.open' });
    same(await store.openAccessRequest(scope, request, event), { status: 'opened', tooLate: [] }, 'answer');
    same(await store.accessRequests(scope, { recordingId: recording.id }), { requests: [request] }, 'on the recording');
    same(await store.accessRequests(scope, { id: request.id }), { requests: [request] }, 'by id');
    holds((await driver.fresh(recording)).accessRequests === 1, 'the recording does not show it');
    holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
    for (const id of [undefined, recording.id]) {
      const options = { ...lease, ...(id === undefined ? {} : { id }) };
      same(await store.claimExpired(scope, due, rules, options), [], 'claimed');
    }
    const closing = { at: clock.now().toISOString(), by: 'records-2', outcome: 'provided' } as const;
    same(await store.closeAccessRequest(scope, request.id, closing, mine.event()), { status: 'closed' }, 'close');
    same(
      await store.closeAccessRequest(scope, request.id, { ...closing, by: 'x' }, mine.event()),
      { status: 'repeated' },
      'again',
    );
    const { requests } = await store.accessRequests(scope, { recordingId: recording.id });
    same(requests, [{ ...request, closed: closing }], 'closed ones are listed with the recording');
    same(await store.accessRequests(scope, {}), { requests: [] }, 'and not among the open ones');
    same(claimedIds(await store.claimExpired(scope, due, rules, lease)), [recording.id], 'claimed when it is closed');
    const unknown = mine.accessRequest({ recordingId: mine.ids.uuid() });
    same(await store.openAccessRequest(scope, unknown, mine.event()), { status: 'not_found' }, 'unknown');
  }),

  define('access_request.between', 'stops a deletion that was claimed and not begun', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const claim = await driver.claimedExpired(recording);
    const request = mine.accessRequest({ recordingId: recording.id });
    await stores.recordings.openAccessRequest(scope, request, mine.event());
    const before = await driver.fresh(recording);
    const event = mine.event();
    const answer = await stores.recordings.beginDeletion(scope, recording.id, intentOf(claim), event);
    same(answer, { status: 'access_requested' }, 'begin');
    await driver.untouched(before, event, 'a request');
  }),

  define('access_request.patient', 'covers what a patient has and will have, and names what is gone', async (tools) => {
    const { stores, scope, mine } = tools;
    const store = stores.recordings;
    const driver = drive(tools);
    const going = await driver.expired({}, { patient: 'p' });
    await driver.removing(going);
    const before = await driver.expired({}, { patient: 'p' });
    const request = mine.accessRequest({ patient: 'p' });
    const opened = { status: 'opened', tooLate: [going.id] };
    same(await store.openAccessRequest(scope, request, mine.event()), opened, 'opened');
    same(await store.openAccessRequest(scope, request, mine.event()), opened, 'again');
    const after = await driver.expired({}, { patient: 'p' });
    for (const one of [before, after]) holds((await driver.fresh(one)).accessRequests === 1, 'it is not covered');
    same(await store.claimExpired(scope, due, rules, lease), [], 'claimed');
    const late = await store.openAccessRequest(scope, mine.accessRequest({ recordingId: going.id }), mine.event());
    same(late, { status: 'too_late', recordingIds: [going.id] }, 'on what is gone');
    for (const target of [{ recordingId: before.id }, { patient: 'q' }])
      await rejects(store.openAccessRequest(scope, { ...request, target }, mine.event()), 'conflict', 'another target');
    const closing = { at: request.receivedAt, by: 'records', outcome: 'withdrawn' } as const;
    await store.closeAccessRequest(scope, request.id, closing, mine.event());
    for (const one of [before, after]) holds((await driver.fresh(one)).accessRequests === 0, 'it is covered still');
    await rejects(store.openAccessRequest(scope, request, mine.event()), 'conflict', 'a closed one');
  }),

  define('access_request.due', 'lists open requests by their due date, and extends each once', async (tools) => {
    const { stores, scope, mine, clock } = tools;
    const store = stores.recordings;
    const from = clock.now().getTime();
    const dueIn = (days: number) => new Date(from + days * day).toISOString();
    const made = [];
    for (const days of [30, 10, 20]) {
      const request = mine.accessRequest({ patient: `p${days}` }, { dueAt: dueIn(days) });
      await store.openAccessRequest(scope, request, mine.event());
      made.push(request);
    }
    const ids = async (query: Parameters<typeof store.accessRequests>[1]) =>
      (await store.accessRequests(scope, query)).requests.map(({ dueAt }) => dueAt);
    same(await ids({}), [dueIn(10), dueIn(20), dueIn(30)], 'all');
    same(await ids({ dueBefore: new Date(from + 20 * day) }), [dueIn(10)], 'overdue');
    const page = await store.accessRequests(scope, { limit: 2 });
    same(page.requests.length, 2, 'a page');
    const rest = await store.accessRequests(scope, { limit: 2, cursor: present(page.cursor, 'cursor') });
    same([rest.requests.map(({ dueAt }) => dueAt), rest.cursor], [[dueIn(30)], undefined], 'the next');
    for (const query of [{ limit: 0 }, { limit: 201 }, { cursor: 'x' }])
      await rejects(store.accessRequests(scope, query), 'invalid_input', JSON.stringify(query));
    const soon = present(made[1], 'request');
    const extension = { at: dueIn(9), by: 'records-2', reason: 'Stored off site' };
    const extend = () => store.extendAccessRequest(scope, soon.id, { ...extension, dueAt: dueIn(40) }, mine.event());
    same(await extend(), { status: 'extended' }, 'once');
    same(await extend(), { status: 'already_extended' }, 'twice');
    const { requests } = await store.accessRequests(scope, { id: soon.id });
    same(requests, [{ ...soon, dueAt: dueIn(40), extension }], 'extended');
    same(await ids({}), [dueIn(20), dueIn(30), dueIn(40)], 'the order moved');
    const closing = { at: dueIn(9), by: 'records', outcome: 'denied' } as const;
    status(await store.closeAccessRequest(scope, soon.id, closing, mine.event()), 'closed', 'close');
    same(await extend(), { status: 'closed' }, 'a closed one');
    const unknown = { ...extension, dueAt: dueIn(40) };
    const answer = await store.extendAccessRequest(scope, mine.ids.uuid(), unknown, mine.event());
    same(answer, { status: 'not_found' }, 'unknown');
  }),
];
