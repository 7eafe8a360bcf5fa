import { holds, present, rejects, same, status } from '../assertions.ts';
import {
  claimedIds,
  define,
  drive,
  due,
  idsOf,
  intentOf,
  lease,
  type RecordingCase,
  removalOf,
  rules,
} from './recording-driver.ts';

/** Legal holds. */
export const holdCases: readonly RecordingCase[] = [
  define('hold.placed', 'keeps every member, counts on the recording, and writes its event', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.inState('available');
    const hold = mine.hold({ recordingId: recording.id });
    const event = mine.event({ action: 'hold.place' });
    same(await stores.recordings.placeHold(scope, hold, event), { status: 'placed', tooLate: [] }, 'answer');
    same(await stores.recordings.holds(scope, recording.id), [hold], 'holds');
    holds((await driver.fresh(recording)).holds === 1, 'the recording does not show it');
    holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
    same(
      await stores.recordings.placeHold(scope, mine.hold({ recordingId: mine.ids.uuid() }), mine.event()),
      { status: 'not_found' },
      'unknown',
    );
    same(await stores.recordings.holds(scope, mine.ids.uuid()), [], 'holds of nothing');
  }),

  define('hold.repeated', 'places a hold once, and refuses another target under its id', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.inState('available');
    const other = await driver.inState('available');
    const hold = await driver.placed({ recordingId: recording.id });
    const before = await reader.countEvents();
    same(await stores.recordings.placeHold(scope, hold, mine.event()), { status: 'placed', tooLate: [] }, 'a retry');
    for (const target of [{ recordingId: other.id }, { patient: 'p' }])
      await rejects(
        stores.recordings.placeHold(scope, { ...hold, target }, mine.event()),
        'conflict',
        'another target',
      );
    holds((await driver.fresh(recording)).holds === 1, 'it counts twice');
    holds((await driver.fresh(other)).holds === 0, 'it moved');
    holds((await reader.countEvents()) === before, 'an event was written');
  }),

  define(
    'hold.again',
    'answers no placing again with success once the hold was released: it would hold nothing',
    async (tools) => {
      const { stores, scope, reader, mine } = tools;
      const driver = drive(tools);
      const recording = await driver.inState('available');
      const hold = await driver.placed({ recordingId: recording.id });
      const { id, placedAt } = hold;
      await stores.recordings.releaseHold(scope, id, 'counsel', placedAt, mine.event());
      const before = await reader.countEvents();
      await rejects(stores.recordings.placeHold(scope, hold, mine.event()), 'conflict', 'a released hold');
      holds((await driver.fresh(recording)).holds === 0, 'it counts');
      holds((await reader.countEvents()) === before, 'an event was written');
    },
  ),

  define(
    'hold.patient',
    "covers all of a patient's recordings, those to come too, and nobody else's",
    async (tools) => {
      const { stores, scope } = tools;
      const driver = drive(tools);
      const before = await driver.expired({}, { patient: 'p' });
      const other = await driver.expired({}, { patient: 'q' });
      const hold = await driver.placed({ patient: 'p' });
      const after = await driver.expired({}, { patient: 'p' });
      for (const recording of [before, after]) {
        holds((await driver.fresh(recording)).holds === 1, 'a recording of the patient does not show it');
        same(await stores.recordings.holds(scope, recording.id), [hold], 'holds');
      }
      same(await stores.recordings.holds(scope, other.id), [], "another patient's");
      same(claimedIds(await stores.recordings.claimExpired(scope, due, rules, lease)), [other.id], 'claimed');
    },
  ),

  define('hold.several', 'holds until the last of several is released', async (tools) => {
    const { stores, scope, clock, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired({}, { patient: 'p' });
    const placed = [
      await driver.placed({ recordingId: recording.id }),
      await driver.placed({ patient: 'p' }),
      await driver.placed({ recordingId: recording.id }),
    ];
    for (const [i, hold] of placed.entries()) {
      holds((await driver.fresh(recording)).holds === 3 - i, `not ${3 - i} holds`);
      same(
        await stores.recordings.claimExpired(scope, due, rules, { ...lease, id: recording.id }),
        [],
        'claimed under a hold',
      );
      const event = mine.event({ action: 'hold.release' });
      const at = clock.now().toISOString();
      same(
        await stores.recordings.releaseHold(scope, hold.id, 'counsel-2', at, event),
        { status: 'released' },
        'release',
      );
      holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
      const kept = (await stores.recordings.holds(scope, recording.id)).find(({ id }) => id === hold.id);
      same(kept, { ...hold, releasedBy: 'counsel-2', releasedAt: at }, 'the released hold is still listed');
    }
    holds((await driver.fresh(recording)).holds === 0, 'it is still held');
    same(
      claimedIds(await stores.recordings.claimExpired(scope, due, rules, lease)),
      [recording.id],
      'claimed when free',
    );
  }),

  define('hold.release_once', 'releases once, and does not find what is not there', async (tools) => {
    const { stores, scope, clock, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.inState('available');
    const hold = await driver.placed({ recordingId: recording.id });
    const at = clock.now().toISOString();
    await stores.recordings.releaseHold(scope, hold.id, 'counsel-2', at, mine.event());
    const before = await reader.countEvents();
    same(
      await stores.recordings.releaseHold(scope, hold.id, 'counsel-3', at, mine.event()),
      { status: 'already_released' },
      'again',
    );
    same(
      await stores.recordings.releaseHold(scope, mine.ids.uuid(), 'counsel-3', at, mine.event()),
      { status: 'not_found' },
      'unknown',
    );
    holds((await reader.countEvents()) === before, 'an event was written');
    const [kept] = await stores.recordings.holds(scope, recording.id);
    holds(present(kept, 'hold').releasedBy === 'counsel-2', 'the second release replaced the first');
  }),

  define('hold.too_late', 'answers too_late once something was removed, and writes nothing', async (tools) => {
    const { stores, scope, mine, reader } = tools;
    const driver = drive(tools);
    for (const state of ['deleting', 'deleted'] as const) {
      const going = state === 'deleted' ? await driver.inState(state) : await driver.expired();
      if (state === 'deleting') await driver.removing(going);
      const recording = await driver.fresh(going);
      const event = mine.event();
      const result = await stores.recordings.placeHold(scope, mine.hold({ recordingId: recording.id }), event);
      same(status(result, 'too_late', state).recordingIds, [recording.id], state);
      await driver.untouched(recording, event, state);
      same(await stores.recordings.holds(scope, recording.id), [], 'holds');
    }
    holds((await reader.countEvents()) > 0, 'no events at all');
  }),

  define(
    'hold.patient_too_late',
    'places a hold on a patient though one recording is being deleted, for the others',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const driver = drive(tools);
      const gone = await driver.inState('deleted', { patient: 'p' });
      const going = await driver.expired({}, { patient: 'p' });
      const { token } = await driver.removing(going);
      await stores.recordings.releaseClaim(scope, going.id, token);
      const begun = await driver.inState('deleting', { patient: 'p' });
      const kept = await driver.expired({}, { patient: 'p' });
      const hold = mine.hold({ patient: 'p' });
      const placed = { status: 'placed', tooLate: [going.id] };
      same(await stores.recordings.placeHold(scope, hold, mine.event()), placed, 'it names what it does not reach');
      same(await stores.recordings.placeHold(scope, hold, mine.event()), placed, 'again');
      same(
        claimedIds(await stores.recordings.claimExpired(scope, due, rules, lease)).toSorted(),
        [going.id, begun.id].toSorted(),
        'only what had begun',
      );
      for (const one of [kept, begun]) holds((await driver.fresh(one)).holds === 1, 'the others are not held');
      holds((await driver.fresh(gone)).state === 'deleted', 'the deleted one changed');
    },
  ),

  define('hold.between', 'stops a deletion that was claimed and not begun', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    for (const target of ['recording', 'patient'] as const) {
      const recording = await driver.expired({}, { patient: target });
      const claim = await driver.claimedExpired(recording);
      await driver.placed(target === 'patient' ? { patient: target } : { recordingId: recording.id });
      const event = mine.event();
      const held = await driver.fresh(recording);
      same(
        await stores.recordings.beginDeletion(scope, recording.id, intentOf(claim), event),
        { status: 'held' },
        target,
      );
      await driver.untouched(held, event, `a hold on the ${target}`);
    }
  }),

  define('hold.race', 'never lets a hold and the first removal both succeed', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    for (let round = 0; round < 8; round++) {
      const recording = await driver.expired({}, { patient: `race-${round}` });
      const claim = await driver.claimedExpired(recording);
      const target = round % 2 === 0 ? { recordingId: recording.id } : { patient: `race-${round}` };
      const place = () => stores.recordings.placeHold(scope, mine.hold(target), mine.event());
      status(
        await stores.recordings.beginDeletion(scope, recording.id, intentOf(claim), mine.event()),
        'begun',
        'begin',
      );
      const removal = { ...removalOf(claim), removing: [{ ref: 'media', size: 7 }] };
      const remove = () => stores.recordings.noteRemoval(scope, recording.id, removal);
      const [placed, removed] =
        round % 4 < 2
          ? await Promise.all([place(), remove()])
          : await Promise.all([remove(), place()]).then(([r, p]) => [p, r] as const);
      const after = await driver.fresh(recording);
      const count = after.deletion?.versions;
      if (removed.status === 'noted') holds(count === 1, 'noted, but not counted');
      else holds(count === 0 && removed.status === 'held', `${removed.status}, and ${count} are counted`);
      // A hold on a patient is placed even when something of this one recording was removed before.
      if ('recordingId' in target)
        holds(
          (placed.status === 'placed') !== (removed.status === 'noted'),
          `hold ${placed.status}, removal ${removed.status}`,
        );
      else holds(placed.status === 'placed', `a hold on a patient answered ${placed.status}`);
    }
  }),

  define('hold.lists_own', 'lists the holds of this recording and its patient only', async (tools) => {
    const { stores, scope } = tools;
    const driver = drive(tools);
    const recording = await driver.inState('available', { patient: 'p' });
    const sibling = await driver.inState('available', { patient: 'p' });
    const mineOnly = await driver.placed({ recordingId: recording.id });
    const both = await driver.placed({ patient: 'p' });
    await driver.placed({ patient: recording.id });
    same(
      idsOf(await stores.recordings.holds(scope, recording.id)).toSorted(),
      idsOf([mineOnly, both]).toSorted(),
      'recording',
    );
    same(idsOf(await stores.recordings.holds(scope, sibling.id)), [both.id], 'sibling');
  }),
];
